"""Who takes part: STOQ, the peers that tools/dev/peers can build here, and the references."""

import pathlib
import subprocess
import sys
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SKIPPED = 77

# Name, and what must be known about its column.
PEERS = {
    "ngtcp2": "OpenSSL 3.5; own event loop with UDP_SEGMENT and UDP_GRO",
    "quinn": "rustls on aws-lc-rs, tokio; at most 10 segments a send",
    "s2n-quic": "s2n-tls, tokio; at most 10 segments a send",
    "quiche": "BoringSSL; own event loop with UDP_SEGMENT and UDP_GRO",
    "msquic": "its own event loop and TLS library; no pacing, no send buffering",
    "quic-go": "NewReno, as it has no CUBIC",
}


# Whose drivers can look for work before they sleep: the loop is theirs, or the library has a setting.
SPINNERS = {"stoq", "ngtcp2", "quiche", "msquic"}


@dataclass(frozen=True)
class Competitor:
    name: str
    program: str
    version: str
    note: str = ""
    is_reference: bool = False


def run_tool(*arguments):
    return subprocess.run([str(ROOT / "tools/dev/peers"), *arguments], capture_output=True, text=True,
                          check=False)


def build_peer(name):
    """The competitor, or None and why it does not take part."""
    directory = str(HERE / "peers" / name)
    print(f"race: building {name}", file=sys.stderr)
    built = run_tool("build", name, directory)
    if built.returncode == SKIPPED:
        return None, built.stderr.strip().splitlines()[-1]
    if built.returncode != 0:
        sys.stderr.write(built.stderr)
        return None, "could not be built"
    version = run_tool("version", name, directory).stdout.strip()
    return Competitor(name, built.stdout.strip(), version, PEERS[name]), None


def stoq_version():
    said = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def assemble(build, wanted):
    """Competitors in the order of the columns, and the reasons of those that are missing."""
    competitors, absent = [], {}
    for name in wanted:
        if name == "stoq":
            competitors.append(Competitor("stoq", str(build / "bin/race_stoq"), stoq_version()))
        elif name == "tcp":
            program = build / "bin/race_tcp"
            competitors.append(Competitor("tcp", str(program), "TLS 1.3", "OpenSSL over TCP", True))
        elif name in PEERS:
            competitor, reason = build_peer(name)
            if competitor:
                competitors.append(competitor)
            else:
                absent[name] = reason
        else:
            raise SystemExit(f"race: no such peer: {name} (stoq, tcp, {', '.join(PEERS)})")
    return competitors, absent
