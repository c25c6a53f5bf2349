"""The implementations: how each is built and started.

Every one obeys the runner's contract: ROLE, TESTCASE, REQUESTS, SSLKEYLOGFILE and QLOGDIR, exit
code 127 for what it lacks, with a last line `unsupported: REASON`. WWW, DOWNLOADS and CERTS name
the directories that are mounts in the runner's containers; a server listens on [::]:443.
"""

import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parents[1]
BUILDER = HERE.parents[1] / "tools/dev/peers"

# What our side is called with: the post-quantum policy.
POLICIES = {"pq": "--pq prefer", "classical": "--pq off"}


# A ClientHello of two datagrams of which only one arrives at first.
MSQUIC_TWO_IDS = ("msquic's servers acknowledge half of a ClientHello with one source connection ID"
                  " and answer the whole with another, which clients have to discard (RFC 9000"
                  " section 7.2; microsoft/msquic issue 5557)")

# What a peer cannot do in a case in which its TESTCASE does not tell it so, by peer, role, case and
# key exchange (None: any).
LACKS = {
    ("msquic", "server", "handshakeloss", "pq"): MSQUIC_TWO_IDS,
    ("msquic", "server", "handshakecorruption", "pq"): MSQUIC_TWO_IDS,
    ("msquic", "server", "amplificationlimit", "pq"): MSQUIC_TWO_IDS,
    ("quic-go", "client", "connectionmigration", None):
        "quic-go's clients do not follow a preferred address",
    ("msquic", "client", "connectionmigration", None):
        "msquic's clients do not follow a preferred address",
    ("quiche", "client", "connectionmigration", None):
        "quiche's clients do not follow a preferred address",
    ("quinn", "client", "connectionmigration", None):
        "quinn's clients do not follow a preferred address",
    ("s2n-quic", "client", "connectionmigration", None):
        "s2n-quic's clients do not follow a preferred address",
}


# What other directories of peers/ are for.
NOT_PEERS = {"rust", "falcon-rust"}


def lack(name, role, case, exchange):
    """Why `name` cannot take part, or None."""
    return LACKS.get((name, role, case, exchange)) or LACKS.get((name, role, case, None))


class Missing(Exception):
    """This machine lacks something that a peer needs."""


def names():
    """STOQ, and the peers that have a driver for QUIC."""
    found = (path.parent.name for kind in ("hq.py", "go.mod", "Cargo.toml", "CMakeLists.txt")
             for path in (HERE / "peers").glob(f"*/{kind}"))
    return ["stoq", *sorted(set(found) - NOT_PEERS)]


def command_of(name, build):
    if name == "stoq":
        return [str(build / "bin/stoq_hq"), "endpoint"]
    directory = HERE / "peers" / name
    done = subprocess.run([str(BUILDER), "build", name, str(directory)], stdout=subprocess.PIPE,
                          text=True)
    if done.returncode == 77:
        raise Missing("this machine lacks what it is built with")
    if done.returncode != 0:
        raise RuntimeError(f"{name} could not be built")
    program = done.stdout.strip().splitlines()[-1]
    script = directory / "hq.py"
    return [program, str(script), "endpoint"] if script.exists() else [program, "endpoint"]
