"""A certification authority and a leaf for localhost, made anew for every race."""

import os
import pathlib
import subprocess


def make_certificates(directory):
    cache = pathlib.Path(os.environ.get("STOQ_CACHE") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "stoq")
    built = sorted(cache.glob("openssl-*/bin/openssl"))
    openssl = str(built[-1]) if built else "openssl"
    config = directory / "openssl.cnf"
    config.write_text("[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = STOQ race\n"
                      "[ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n"
                      "subjectKeyIdentifier = hash\n"
                      "[leaf]\nbasicConstraints = critical, CA:FALSE\n"
                      "subjectAltName = DNS:localhost, IP:127.0.0.1\n")

    def run(*arguments):
        subprocess.run([openssl, *arguments], cwd=directory, check=True, capture_output=True)

    for name in ("ca", "leaf"):
        run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
    run("req", "-new", "-x509", "-config", "openssl.cnf", "-extensions", "ca", "-key", "ca.key",
        "-days", "2", "-out", "ca.pem")
    run("req", "-new", "-config", "openssl.cnf", "-subj", "/CN=localhost", "-key", "leaf.key",
        "-out", "leaf.csr")
    run("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "1",
        "-days", "2", "-extfile", "openssl.cnf", "-extensions", "leaf", "-out", "leaf.pem")
    return directory
