"""Runs the cases of the QUIC interoperability runner on this machine, without containers."""
