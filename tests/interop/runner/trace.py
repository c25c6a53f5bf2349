"""What tshark makes of a capture, decrypted with the key logs."""

import json
import subprocess

from runner.lab import CLIENT_IPV4, CLIENT_IPV6, SERVER_IPV4, SERVER_IPV6

FROM_CLIENT = f"(ip.src=={CLIENT_IPV4} || ipv6.src=={CLIENT_IPV6})"
FROM_SERVER = f"(ip.src=={SERVER_IPV4} || ipv6.src=={SERVER_IPV6})"
V1, V2 = 0x1, 0x6B3343CF
# The long packet types of RFC 9000 section 17.2 and of RFC 9369 section 3.2.
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = range(4)
TYPES_OF_V2 = {1: INITIAL, 2: ZERO_RTT, 3: HANDSHAKE, 0: RETRY}


class Trace:
    def __init__(self, capture, key_log=None):
        # What TCP carries beside is nobody's business here, and takes tshark minutes to analyse.
        self.command = ["tshark", "-n", "-r", str(capture), "--disable-protocol", "http3",
                        "--disable-protocol", "tcp", "-d", "udp.port==443,quic"]
        if key_log:
            self.command += ["-o", f"tls.keylog_file:{key_log}"]
        for port in (4433, 4443):  # where servers like to move to
            self.command += ["-d", f"udp.port=={port},quic"]
        self.long_packets = {}

    def run(self, display_filter, *output):
        # A capture that ends within a packet is an error for tshark, and none for us.
        done = subprocess.run(
            [*self.command, "-Y", f"quic && !icmp && !icmpv6 && {display_filter}", *output],
            capture_output=True, text=True)
        if not done.stdout and done.returncode != 0:
            raise RuntimeError(f"tshark: {done.stderr.strip()[-300:]}")
        return done.stdout

    def rows(self, display_filter, *fields):
        """A tuple per datagram; each field with all its values in it."""
        names = [word for field in fields for word in ("-e", field)]
        text = self.run(display_filter, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a",
                        *names)
        return [tuple(value.split(",") if value else [] for value in line.split("|"))
                for line in text.splitlines()]

    def packets(self, display_filter):
        """The QUIC packets of the datagrams, each as all its fields: a list of values by name."""
        text = self.run(display_filter, "-T", "json")
        datagrams = json.loads(text, object_pairs_hook=list) if text.strip() else []
        for datagram in datagrams:
            for name, layer in dict(dict(datagram)["_source"])["layers"]:
                if name == "quic" and isinstance(layer, list):
                    fields = {}
                    collect(layer, fields)
                    yield fields

    def long(self, kind, direction):
        """The packets with long headers of one type, from one side."""
        if direction not in self.long_packets:
            self.long_packets[direction] = list(self.packets(f"{direction} && quic.header_form==1"))
        return [p for p in self.long_packets[direction] if type_of(p) == kind]


def collect(node, fields):
    for name, value in node:
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            collect(value, fields)
        elif not isinstance(value, list):
            fields.setdefault(name, []).append(value)
        else:
            fields.setdefault(name, [])


def type_of(packet):
    if "quic.long.packet_type_v2" in packet:
        return TYPES_OF_V2[int(packet["quic.long.packet_type_v2"][0])]
    if "quic.long.packet_type" in packet:
        return int(packet["quic.long.packet_type"][0])
    return None


def first(packet, name, default=None):
    values = packet.get(name)
    return values[0] if values else default


def number(text):
    return int(text, 0)


def flag(text):
    """tshark's versions spell a set bit differently."""
    return text in ("1", "True", "true")
