"""The rows of the race: what a client is asked to do, and which figures are taken from its answer."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One number of a row. `take` computes it from a measured cell."""
    name: str
    unit: str
    take: object
    higher_is_better: bool = True


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    flags: tuple
    figures: tuple
    # Flags that the server is started with as well.
    server_flags: tuple = ()
    # Connections that are opened and kept while the server's memory is read; 0: none.
    kept: int = 0
    # What the reference rows (TCP with TLS 1.3) have no like of.
    quic_only: bool = field(default=False)
    # Both ends look for work for a while before they sleep.
    spins: bool = field(default=False)


# Of a heat, what its client counts.
COUNTED = 0.9


def gigabits(cell):
    return (cell.report["bytes_down"] + cell.report["bytes_up"]) * 8e-9


def rate(cell):
    """Both directions: downloads are counted over the heat without its first tenth, uploads as long as they took."""
    down = cell.report["bytes_down"] / (cell.seconds * COUNTED)
    return (down + cell.report["bytes_up"] / cell.report["seconds"]) * 8e-9


def per_second(cell):
    return cell.report["count"] / cell.report["seconds"]


GBPS = Figure("gbps", "Gbit/s", rate)
CPU = (
    Figure("server_cpu", "CPU s/Gbit", lambda cell: cell.server_cpu / gigabits(cell), False),
    Figure("client_cpu", "CPU s/Gbit", lambda cell: cell.client_cpu / gigabits(cell), False),
)
DROPS = Figure("drops", "datagrams", lambda cell: cell.drops, False)
SOFTIRQ = Figure("softirq", "CPU s/Gbit", lambda cell: cell.softirq / gigabits(cell), False)
RATE = Figure("rate", "per s", per_second)
P50, P99, P999 = (Figure(name, "us", lambda cell, name=name: cell.report[f"{name}_us"], False)
                  for name in ("p50", "p99", "p999"))
MESSAGE = 100
MESSAGES = Figure("rate", "per s",
                  lambda cell: cell.report["bytes_up"] / MESSAGE / cell.report["seconds"])
MEMORY = Figure("memory", "kB/connection", lambda cell: cell.memory_kb, False)

BULK = (GBPS, *CPU, DROPS)
LATENCY = (P50, P99, P999)
SPIN = ("--spin", "200")  # microseconds
# What is in flight waits in the receiver's socket: with more of it everybody is late.
SHORT_QUEUE = ("--window", str(512 << 10))
EXCHANGE = ("--mode", "requests", "--request", "512", "--response", "4096")


def kept(mode, count):
    title = f"{mode} connections, {count:,}".replace(",", " ")
    return Row(f"{mode}_{count}", f"memory of the server, {title}",
               ("--mode", mode, "--connections", str(count)), (MEMORY,), kept=count, quic_only=True)


ROWS = [
    Row("bulk_down", "bulk, server to client", ("--mode", "down"), BULK),
    Row("bulk_up", "bulk, client to server", ("--mode", "up"), BULK),
    Row("bulk_both", "bulk, both ways at once", ("--mode", "both"), BULK),
    Row("bulk_down_100", "bulk down, 100 streams", ("--mode", "down", "--streams", "100"), BULK,
        quic_only=True),
    Row("bulk_up_100", "bulk up, 100 streams", ("--mode", "up", "--streams", "100"), BULK,
        quic_only=True),
    Row("bulk_16k", "bulk down, datagrams of 16 kB", ("--mode", "down", "--datagram", "16384"), BULK,
        ("--datagram", "16384"), quic_only=True),
    Row("latency", "512 B asked, 4 kB answered, one at a time", EXCHANGE, LATENCY),
    Row("latency_spinning", "the same, both ends looking for work up to 200 us before they sleep",
        (*EXCHANGE, *SPIN), LATENCY, SPIN, quic_only=True, spins=True),
    Row("latency_beside_bulk", "the same beside a bulk stream", (*EXCHANGE, "--bulk", "1", *SHORT_QUEUE), LATENCY,
        SHORT_QUEUE, quic_only=True),
    Row("requests_100", "64 B asked and answered on fresh streams, 100 in flight",
        ("--mode", "requests", "--in-flight", "100"), (RATE, P50, P99), quic_only=True),
    Row("requests_300", "64 B asked and answered on fresh streams, 300 in flight",
        ("--mode", "requests", "--in-flight", "300"), (RATE, P50, P99), quic_only=True),
    Row("messages", f"messages of {MESSAGE} B on one stream, each written by itself",
        ("--mode", "up", "--write", str(MESSAGE)), (MESSAGES,)),
    Row("datagrams", "DATAGRAM frames of 64 B echoed, 100 in flight",
        ("--mode", "datagrams", "--in-flight", "100"), (RATE,), quic_only=True),
    Row("handshakes", "full handshakes, each with one request, 16 at a time",
        ("--mode", "handshakes", "--in-flight", "16"), (RATE, P50, P99)),
    Row("handshakes_resumed", "resumed handshakes, each with one request, 16 at a time",
        ("--mode", "handshakes", "--in-flight", "16", "--resumed", "1"), (RATE, P50, P99)),
    kept("idle", 1000), kept("idle", 10000), kept("active", 1000), kept("active", 10000),
    Row("paced", "processor time at a paced 1 Gbit/s up",
        ("--mode", "up", "--rate", "1000000000"), (*CPU, SOFTIRQ, GBPS)),
]
