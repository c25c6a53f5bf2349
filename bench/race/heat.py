"""One heat: a server and a client of one competitor, one row, each pinned to a core of its own."""

import json
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field

SERVER_CORE, CLIENT_CORE = 0, 1
SECONDS_TO_START = 15
SECONDS_TO_SPARE = 30
SECONDS_TO_OPEN = 300
SETTLING = 2.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Cell:
    """What a heat measured; `reason` says why it did not."""
    seconds: float          # that the heat was to last
    report: dict = field(default_factory=dict)
    reason: str = ""
    failed: bool = False
    server_cpu: float = 0.0  # user + system, seconds, whole life of the process
    client_cpu: float = 0.0
    softirq: float = 0.0     # seconds of both cores together
    drops: int = 0           # datagrams that found a full receive buffer
    memory_kb: float = 0.0


class HeatFailure(Exception):
    pass


def core_of(end):
    cores = sorted(os.sched_getaffinity(0))
    return cores[end % len(cores)]


def pinned(end):
    core = core_of(end)
    return lambda: os.sched_setaffinity(0, {core})


def receive_buffer_errors():
    with open("/proc/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Udp:")]
    return int(values[names.index("RcvbufErrors")])


def softirq_seconds():
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[7]) / TICKS


def resident_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise HeatFailure("the server's memory cannot be read")


def read_line(process, seconds, what):
    """The next line of output; fails when there is none in time."""
    line = b""
    deadline = time.monotonic() + seconds
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        byte = os.read(process.stdout.fileno(), 1) if ready else b""
        if not byte:
            raise HeatFailure(what)
        line += byte
    return line.decode().strip()


def reap(process):
    """Waits for the end; returns the processor time that the process used."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def stop(process):
    if process.returncode is None:
        os.kill(process.pid, signal.SIGKILL)  # Popen.kill() would reap it without its usage
        return reap(process)
    return 0.0


class Heat:
    def __init__(self, competitor, row, seconds, certificates, log):
        self.competitor, self.row, self.seconds = competitor, row, seconds
        self.certificates, self.log = certificates, log

    def start(self, role, core, flags):
        command = [self.competitor.program, role, *flags]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                preexec_fn=pinned(core), bufsize=0)

    def start_server(self):
        files = ("--cert", self.certificates / "leaf.pem", "--key", self.certificates / "leaf.key")
        return self.start("server", SERVER_CORE, [*map(str, files), *self.row.server_flags])

    def start_client(self, address):
        return self.start("client", CLIENT_CORE, [
            "--connect", address, "--ca", str(self.certificates / "ca.pem"),
            "--seconds", str(self.seconds), *self.row.flags])

    def run(self):
        cell = Cell(self.seconds)
        server = self.start_server()
        client = None
        try:
            ready = read_line(server, SECONDS_TO_START, "the server does not start")
            if not ready.startswith("ready: "):
                self.take_report(cell, ready)
                return cell
            before = receive_buffer_errors(), softirq_seconds()
            memory = resident_kb(server)
            client = self.start_client(ready.removeprefix("ready: "))
            self.follow(client, server, memory, cell)
            cell.drops = receive_buffer_errors() - before[0]
            cell.softirq = softirq_seconds() - before[1]
            cell.client_cpu = reap(client)
            if client.returncode != 0:
                raise HeatFailure(f"the client ended with {client.returncode}")
        except HeatFailure as failure:
            cell.failed, cell.reason = True, str(failure)
        finally:
            if client:
                stop(client)
            cell.server_cpu = stop(server)
        return cell

    def follow(self, client, server, memory, cell):
        if self.row.kept:
            line = read_line(client, SECONDS_TO_OPEN, "the connections do not open in time")
            if line == "open":
                time.sleep(SETTLING)
                cell.memory_kb = (resident_kb(server) - memory) / self.row.kept
                client.stdin.close()
                line = read_line(client, SECONDS_TO_SPARE, "the client does not end")
        else:
            line = read_line(client, self.seconds * 2 + SECONDS_TO_SPARE, "the client does not end")
        self.take_report(cell, line)

    @staticmethod
    def take_report(cell, line):
        try:
            cell.report = json.loads(line)
        except ValueError as error:
            raise HeatFailure(f"no report but: {line[:100]}") from error
        cell.reason = cell.report.get("unsupported", "")
        if not cell.reason and not cell.report["verified"]:
            raise HeatFailure("what arrived is not what was sent")
