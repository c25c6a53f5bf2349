"""What must be true after a case: the interoperability runner's checks, on files and captures.

A check raises Failed with what is wrong, and Unsupported where a trace cannot be read.
"""

import filecmp
import statistics

from runner.trace import (FROM_CLIENT, FROM_SERVER, HANDSHAKE, INITIAL, RETRY, V1, V2, ZERO_RTT,
                          Trace, first, flag, number)

LINK_KILOBITS_PER_SECOND = 10_000


class Failed(Exception):
    pass


def require(condition, complaint):
    if not condition:
        raise Failed(complaint)


class Outcome:
    """What a case has left behind."""

    def __init__(self, directory, files):
        self.directory = directory
        self.files = files  # names in /www
        self.key_log = directory / "keys.log"
        self.client = Trace(directory / "client.pcap", self.key_log)
        self.server = Trace(directory / "server.pcap", self.key_log)
        # The same without keys, which tshark reads much faster: Initials it can always decrypt.
        self.client_headers = Trace(directory / "client.pcap")
        self.server_headers = Trace(directory / "server.pcap")
        self.note = ""  # for the matrix
        self.goodput = 0.0  # kilobits a second, of measurements

    def join_key_logs(self):
        logs = [self.directory / side / "keys.log" for side in ("client", "server")]
        lines = {line for log in logs if log.exists() for line in log.read_text().splitlines()}
        self.key_log.write_text("\n".join(sorted(lines)) + "\n")
        require(any("SERVER_HANDSHAKE_TRAFFIC_SECRET" in line for line in lines),
                "neither side has written a key log")


# --- shared --------------------------------------------------------------------------------------

def files_match(outcome):
    got = {path.name for path in (outcome.directory / "downloads").iterdir()}
    require(got == set(outcome.files),
            f"{len(set(outcome.files) - got)} files are missing, {len(got - set(outcome.files))} too many")
    for name in outcome.files:
        same = filecmp.cmp(outcome.directory / "www" / name, outcome.directory / "downloads" / name,
                           shallow=False)
        require(same, f"{name[:20]} differs from what was served")


def handshakes(outcome, expected):
    ids = {first(p, "quic.scid", "") for p in outcome.server_headers.long(INITIAL, FROM_SERVER)}
    require(len(ids) == expected, f"{len(ids)} handshakes, not {expected}")


def only_v1(outcome):
    versions = {number(first(p, "quic.version"))
                for p in outcome.server_headers.long(INITIAL, FROM_SERVER)}
    require(versions == {V1}, f"versions of the server's Initials: {sorted(map(hex, versions))}")


def transfer(outcome):
    files_match(outcome)
    handshakes(outcome, 1)
    only_v1(outcome)


# --- the cases -----------------------------------------------------------------------------------

def handshake(outcome):
    transfer(outcome)
    require(not outcome.server_headers.long(RETRY, FROM_SERVER), "the server sent a Retry")


def long_rtt(outcome):
    handshake(outcome)
    # Each carries a whole ClientHello or a part of it, again or for the first time.
    hellos = [p for p in outcome.client_headers.long(INITIAL, FROM_CLIENT)
              if "quic.crypto.offset" in p]
    starts = [p for p in hellos if "0" in p["quic.crypto.offset"]]
    require(len(starts) >= 2, f"{len(starts)} ClientHellos; the first was not repeated")


def chacha20(outcome):
    transfer(outcome)
    suites = {suite for row in outcome.client_headers.rows(
        f"{FROM_CLIENT} && tls.handshake.type==1", "tls.handshake.ciphersuite") for suite in row[0]}
    # TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 section 3.3) is a signal, and no suite.
    require({number(suite) for suite in suites} - {0xFF} == {0x1303}, f"cipher suites on offer: {suites}")


def multiplexing(outcome):
    transfer(outcome)
    name = "tls.quic.parameter.initial_max_streams_bidi"
    limits = [int(value) for row in outcome.client.rows(f"{FROM_SERVER} && {name}", name)
              for value in row[0]]
    require(limits, "the server's initial_max_streams_bidi was not seen")
    require(max(limits) <= 1000, f"initial_max_streams_bidi is {max(limits)}")


def retry(outcome):
    transfer(outcome)
    tokens = {first(p, "quic.retry_token") for p in outcome.client_headers.long(RETRY, FROM_SERVER)}
    require(tokens and None not in tokens, "no Retry with a token was seen")
    highest = -1
    for packet in outcome.client_headers.long(INITIAL, FROM_CLIENT):
        packet_number = int(first(packet, "quic.packet_number", "-1"))
        if number(first(packet, "quic.token_length", "0")) == 0:
            highest = max(highest, packet_number)
            continue
        require(packet_number > highest, "the client's packet numbers began anew after the Retry")
        if first(packet, "quic.token") in tokens:
            return
    raise Failed("no Initial carries a token of a Retry")


def resumption(outcome):
    files_match(outcome)
    handshakes(outcome, 2)
    only_v1(outcome)
    seen = {}
    for packet in outcome.client.long(HANDSHAKE, FROM_SERVER):
        scid = first(packet, "quic.scid", "")
        seen[scid] = seen.get(scid, False) or "tls.handshake.certificates_length" in packet
    require(list(seen.values()) == [True, False],
            f"certificates in the server's handshakes: {list(seen.values())}")


def zero_rtt(outcome):
    files_match(outcome)
    handshakes(outcome, 2)
    only_v1(outcome)
    early = sum(payload_length(p) for p in outcome.client.long(ZERO_RTT, FROM_CLIENT))
    late = sum(payload_length(p)
               for p in outcome.client.packets(f"{FROM_CLIENT} && quic.header_form==0")
               if first(p, "quic.header_form") == "0")
    require(early > 0, "the client sent no 0-RTT packets")
    require(late <= 5000, f"the client sent {late} bytes in 1-RTT packets")
    outcome.note = f"0-RTT {early}, 1-RTT {late} bytes"


def payload_length(packet):
    for name in ("quic.payload", "quic.protected_payload", "quic.remaining_payload"):
        if name in packet:
            return (len(first(packet, name, "")) + 1) // 3  # "aa:bb:cc"
    return 0


def key_update(outcome):
    transfer(outcome)
    for side, trace, direction in (("client", outcome.client, FROM_CLIENT),
                                   ("server", outcome.server, FROM_SERVER)):
        phases = [flag(value) for row in trace.rows(f"{direction} && quic.header_form==0",
                                                    "quic.key_phase") for value in row[0]]
        require(any(phases), f"the {side} sent no packet with key phase 1, and {len(phases)} in all")


def ecn(outcome):
    handshake(outcome)
    for side, trace, direction in (("client", outcome.client, FROM_CLIENT),
                                   ("server", outcome.server, FROM_SERVER)):
        rows = trace.rows(direction, "ip.dsfield.ecn", "quic.ack.ect0_count")
        marks = [int(value, 0) for row in rows for value in row[0]]
        require(any(mark in (1, 2) for mark in marks), f"the {side} marks no packet with ECT")
        require(3 not in marks, f"the {side} sends CE")
        require(any(row[1] for row in rows), f"the {side} sends no ACK with ECN counts")


def amplification(outcome):
    transfer(outcome)
    highest = 0
    for packet in outcome.server.long(HANDSHAKE, FROM_SERVER):
        for offset, length in zip(packet.get("quic.crypto.offset", []),
                                  packet.get("quic.crypto.length", [])):
            highest = max(highest, int(offset) + int(length))
    require(highest >= 7500, f"the server's handshake is {highest} bytes long")
    server_ids = {first(p, "quic.scid", "") for p in outcome.server.long(INITIAL, FROM_SERVER)}
    validating = {scid for scid in server_ids if len(scid.replace(":", "")) >= 16}
    tolerated = 0
    for source, length, versions, types, dcids in outcome.server.rows(
            f"({FROM_CLIENT} || {FROM_SERVER})", "udp.srcport", "udp.length", "quic.version",
            "quic.long.packet_type", "quic.dcid"):
        require("0x00000000" not in versions, "a Version Negotiation packet was sent")
        size = int(length[0]) - 8
        if source[0] == "443":
            require(size < tolerated, "the server sent more than four times what it had received")
            tolerated -= size
            continue
        if str(HANDSHAKE) in types or validating & set(dcids):
            return
        tolerated += 4 * size
    raise Failed("the client's address was never proved")


def multiconnect(outcome):
    files_match(outcome)
    handshakes(outcome, len(outcome.files))
    only_v1(outcome)


def ipv6(outcome):
    transfer(outcome)
    require(not outcome.server.rows(f"{FROM_SERVER} && ip", "ip.src"), "IPv4 was used")


def v2(outcome):
    files_match(outcome)

    def versions(trace, kind, direction):
        return {number(first(p, "quic.version")) for p in trace.long(kind, direction)}

    require(V1 in versions(outcome.client, INITIAL, FROM_CLIENT), "the client did not start with v1")
    require(V2 in versions(outcome.server, INITIAL, FROM_SERVER), "the server's Initials are not v2")
    require(versions(outcome.client, HANDSHAKE, FROM_CLIENT) == {V2},
            "the client's Handshake packets are not all v2")
    require(versions(outcome.server, HANDSHAKE, FROM_SERVER) == {V2},
            "the server's Handshake packets are not all v2")


def paths_probed(outcome):
    """The first datagram to each new address proves it, and the client answers."""
    known, last, challenges = set(), None, set()
    rows = outcome.server.rows(FROM_SERVER, "ip.src", "ipv6.src", "udp.srcport", "ip.dst", "ipv6.dst",
                               "udp.dstport", "quic.path_challenge.data")
    for *addresses, challenge in rows:
        path = tuple(map(tuple, addresses))
        if last is not None and path != last and path not in known:
            require(challenge, f"the first packet to port {path[5][0]} has no PATH_CHALLENGE")
            challenges.update(challenge[:1])
        known.add(path)
        last = path
    require(len(known) > 1, "the server has seen one path only")
    # One that the link has dropped is repeated with other data.
    arrived = values(outcome.client, FROM_SERVER, "quic.path_challenge.data")
    responses = values(outcome.client, FROM_CLIENT, "quic.path_response.data")
    unanswered = (challenges & arrived) - responses
    require(not unanswered, f"{len(unanswered)} challenges were not answered")
    return rows


def values(trace, direction, field):
    return {value for row in trace.rows(f"{direction} && {field}", field) for value in row[0]}


def rebind_port(outcome):
    transfer(outcome)
    paths_probed(outcome)


def rebind_address(outcome):
    transfer(outcome)
    rows = paths_probed(outcome)
    require(len({tuple(row[3]) for row in rows}) > 1, "the client's address did not change")


def migration(outcome):
    transfer(outcome)
    paths_probed(outcome)
    known, last, last_id = set(), None, None
    for *addresses, ids in outcome.client.rows(FROM_CLIENT, "ip.src", "ipv6.src", "udp.srcport",
                                               "ip.dst", "ipv6.dst", "udp.dstport", "quic.dcid"):
        path = tuple(map(tuple, addresses))
        if last is not None and path != last and path not in known:
            require(ids[:1] != last_id, "a connection ID was used again on the new path")
            last_id = ids[:1]
        if last is None:
            last_id = ids[:1]
        known.add(path)
        last = path


# --- measurements --------------------------------------------------------------------------------

def goodput(outcome):
    transfer(outcome)
    times = [float(row[0][0]) for row in outcome.client_headers.rows(
        f"{FROM_SERVER} && quic.header_form==0", "frame.time_epoch")]
    require(len(times) > 1, "no 1-RTT packets were seen")
    size = sum((outcome.directory / "www" / name).stat().st_size for name in outcome.files)
    outcome.goodput = 8 * size / ((times[-1] - times[0]) * 1000)


def any_goodput(values):
    """What all repetitions together must have been; returns the note of the cell."""
    mean = statistics.mean(values)
    spread = f" +- {statistics.stdev(values):.0f}" if len(values) > 1 else ""
    return f"{mean:.0f}{spread} kbit/s"


def fair_share(values):
    share = 100 * statistics.mean(values) / LINK_KILOBITS_PER_SECOND
    note = f"{any_goodput(values)}, {share:.0f} % of the link beside one TCP CUBIC flow"
    require(35 <= share <= 65, note)
    return note
