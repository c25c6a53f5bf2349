"""The cases of the QUIC interoperability runner: what is fetched, over which link, what is checked."""

import random
import string
from dataclasses import dataclass
from typing import Callable

from runner import checks

KB, MB = 1024, 1024 * 1024
LINK = "--delay=15ms --bandwidth=10Mbps --queue=25"


@dataclass(frozen=True)
class Case:
    name: str
    sizes: tuple
    check: Callable
    server_test: str = "transfer"  # TESTCASE of the server
    client_test: str = ""          # of the client, where it differs
    scenario: str = f"simple-p2p {LINK}"
    host: str = "server4"
    seconds: int = 60
    name_length: int = 10
    certificates: int = 1          # in the chain
    rival: bool = False            # a TCP flow competes
    judge: Callable = None         # of measurements: takes the goodput of all repetitions

    @property
    def is_short(self):
        return not self.judge and sum(self.sizes) < 4 * MB and self.seconds <= 60

    @property
    def tests(self):
        return {"server": self.server_test, "client": self.client_test or self.server_test}

    def file_names(self, seed):
        source = random.Random(seed)
        return ["".join(source.choices(string.ascii_lowercase, k=self.name_length))
                for _ in self.sizes]


def errors(kind, percent):
    return (f"{kind} {LINK} --rate_to_server={percent} --rate_to_client={percent} "
            "--burst_to_server=3 --burst_to_client=3")


REBIND = f"rebind {LINK} --first-rebind=1s --rebind-freq=5s"
FIFTY = (1 * KB,) * 50

CASES = [
    Case("handshake", (1 * KB,), checks.handshake, "handshake"),
    Case("transfer", (2 * MB, 3 * MB, 5 * MB), checks.transfer),
    Case("longrtt", (1 * KB,), checks.long_rtt, "handshake",
         scenario="simple-p2p --delay=750ms --bandwidth=10Mbps --queue=25"),
    Case("chacha20", (3 * MB,), checks.chacha20, "chacha20"),
    Case("multiplexing", (32,) * 1999, checks.multiplexing),
    Case("retry", (10 * KB,), checks.retry, "retry"),
    Case("resumption", (5 * KB, 10 * KB), checks.resumption, "resumption"),
    Case("zerortt", (32,) * 40, checks.zero_rtt, "zerortt", name_length=250),
    Case("http3", (5 * KB, 10 * KB, 500 * KB), checks.transfer, "http3"),
    Case("blackhole", (10 * MB,), checks.transfer, scenario=f"blackhole {LINK} --on=5s --off=2s"),
    Case("keyupdate", (3 * MB,), checks.key_update, client_test="keyupdate"),
    Case("ecn", (100 * KB,), checks.ecn, "ecn"),
    Case("amplificationlimit", (5 * KB,), checks.amplification, certificates=9,
         scenario=f"droplist {LINK} --drops_to_server=2,3,4,5,6,7"),
    Case("handshakeloss", FIFTY, checks.multiconnect, "multiconnect", seconds=300,
         scenario=errors("drop-rate", 30)),
    Case("transferloss", (2 * MB,), checks.transfer, scenario=errors("drop-rate", 2)),
    Case("handshakecorruption", FIFTY, checks.multiconnect, "multiconnect", seconds=300,
         scenario=errors("corrupt-rate", 30)),
    Case("transfercorruption", (2 * MB,), checks.transfer, scenario=errors("corrupt-rate", 2)),
    Case("ipv6", (5 * KB, 10 * KB), checks.ipv6, host="server6"),
    Case("v2", (1 * KB,), checks.v2, "v2"),
    Case("rebind-port", (10 * MB,), checks.rebind_port, scenario=REBIND),
    Case("rebind-addr", (10 * MB,), checks.rebind_address, scenario=f"{REBIND} --rebind-addr"),
    Case("connectionmigration", (2 * MB,), checks.migration, "connectionmigration", "transfer",
         host="server46"),
    Case("goodput", (10 * MB,), checks.goodput, judge=checks.any_goodput),
    Case("crosstraffic", (25 * MB,), checks.goodput, seconds=180, rival=True,
         judge=checks.fair_share),
]
