"""Two network namespaces, the link between them, and the programs that run in them.

Every process is stopped by its own pid, every name has this process's number in it, and leaving the
`with` block takes everything down.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

CLIENT_IPV4, CLIENT_IPV6 = "193.167.0.100", "fd00:cafe:cafe:0::100"
SERVER_IPV4, SERVER_IPV6 = "193.167.100.100", "fd00:cafe:cafe:100::100"
# Of the flow that competes with the measured one.
RIVAL_CLIENT, RIVAL_SERVER = "193.167.0.90", "193.167.100.110"
HOSTS = f"""127.0.0.1 localhost
::1 localhost
{SERVER_IPV4} server4 server46
{SERVER_IPV6} server6 server46
"""
DEVICE = "link0"
# What the runner's simulator asks a server before a test: an unknown version, empty connection IDs.
PROBE = bytes.fromhex("c0574149540000") + bytes(1200)
PROBE_PROGRAM = """
import socket, sys, time
probe = bytes.fromhex(sys.argv[2])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(0.1)
    end = time.monotonic() + float(sys.argv[3])
    while time.monotonic() < end:
        try:
            s.sendto(probe, (sys.argv[1], 443))
            if s.recv(2048)[1:5] == bytes(4): sys.exit(0)
        except TimeoutError: pass
        except ConnectionRefusedError: time.sleep(0.05)
sys.exit("no Version Negotiation packet came back")
"""


class LabError(Exception):
    """Something of this machine or of the harness, not of an implementation."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Lab:
    def __init__(self, link_program, directory, name):
        self.link_program = link_program
        self.directory = pathlib.Path(directory)
        self.client, self.server = f"{name}-c", f"{name}-s"
        self.link = None
        self.processes = []
        self.made = []

    def __enter__(self):
        try:
            for namespace in (self.client, self.server):
                run("ip", "netns", "add", namespace)
                self.made.append(namespace)
                # `ip netns exec` lays these over /etc.
                hosts = pathlib.Path("/etc/netns") / namespace
                hosts.mkdir(parents=True, exist_ok=True)
                (hosts / "hosts").write_text(HOSTS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            stop(process)
        if self.link:
            stop(self.link)
        for namespace in self.made:
            with contextlib.suppress(LabError):
                run("ip", "netns", "del", namespace)
            shutil.rmtree(f"/etc/netns/{namespace}", ignore_errors=True)

    def start_link(self, scenario, seed, seconds):
        log = self.directory / "link.log"
        with open(log, "wb") as output:
            self.link = subprocess.Popen(
                [self.link_program, "--client", self.client, "--server", self.server, "--device",
                 DEVICE, "--captures", str(self.directory), "--seed", str(seed), "--longest",
                 f"{seconds}s", *scenario.split()], stdout=output, stderr=subprocess.STDOUT)
        wait_for(lambda: "ready" in log.read_text(), self.link, 10, "the link does not start")
        self.configure(self.client, [CLIENT_IPV4, RIVAL_CLIENT], CLIENT_IPV6)
        self.configure(self.server, [SERVER_IPV4, RIVAL_SERVER], SERVER_IPV6)

    @staticmethod
    def configure(namespace, ipv4, ipv6):
        ip = ["ip", "-n", namespace]
        for address in ipv4:
            run(*ip, "address", "add", f"{address}/24", "dev", DEVICE)
        run(*ip, "address", "add", f"{ipv6}/64", "dev", DEVICE, "nodad")
        run(*ip, "link", "set", "lo", "up")
        run(*ip, "link", "set", DEVICE, "up")
        run(*ip, "route", "add", "default", "dev", DEVICE)
        run(*ip, "-6", "route", "add", "default", "dev", DEVICE)

    def start(self, namespace, command, environment, log):
        with open(log, "wb") as output:
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **environment})
        self.processes.append(process)
        return process

    def probe(self, server, seconds=10):
        """Waits until the server answers the probe; False when it ended or does not answer."""
        asking = subprocess.Popen(
            ["ip", "netns", "exec", self.server, sys.executable, "-c", PROBE_PROGRAM, SERVER_IPV4,
             PROBE.hex(), str(seconds)], stderr=subprocess.DEVNULL)
        while asking.poll() is None:
            if server.poll() is not None:
                stop(asking)
                return False
            time.sleep(0.02)
        return asking.returncode == 0

    def end(self):
        """Stops what still runs, and lets the link write its captures and counters."""
        time.sleep(0.3)  # for the last packets under way
        for process in self.processes:
            stop(process)
        stop(self.link)
        return (self.directory / "link.log").read_text()


def wait_for(condition, process, seconds, complaint):
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            raise LabError(complaint)
        time.sleep(0.02)


def stop(process, patience=8):
    """SIGTERM, and SIGKILL for who does not listen."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
