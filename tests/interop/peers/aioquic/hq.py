"""A hq-interop client and server on aioquic.

    hq.py server --listen HOST:PORT --cert FILE --key FILE --root DIR
    hq.py client --ca FILE --downloads DIR [--early] --url URL...
    hq.py endpoint

The third obeys the contract of the QUIC interoperability runner (see ../../runner/peers.py). One
client-initiated bidirectional stream per file: `GET /name` and a line end, then the end of the
stream; the answer is the bytes of the file. SSLKEYLOGFILE and QLOGDIR are honoured.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import http3
from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived, StreamReset
from aioquic.quic.logger import QuicFileLogger
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite

LONGEST_REQUEST = 4096
UNKNOWN_FILE = 1
KEY_UPDATE_AFTER = 100_000  # bytes

NO_ECN = "aioquic neither marks packets with ECN nor reads marks"
# By TESTCASE: for each role None, or why it is not supported.
CASES = {
    **dict.fromkeys(
        ["handshake", "transfer", "retry", "resumption", "zerortt", "http3", "multiconnect", "v2",
         "chacha20"], {"client": None, "server": None}),
    "keyupdate": {"client": None, "server": "the client updates the keys"},
    "ecn": {"client": NO_ECN, "server": NO_ECN},
    "connectionmigration": {
        "client": "the server has the preferred address",
        "server": "aioquic's servers cannot be given a preferred address"},
}


class HqServer(QuicConnectionProtocol):
    root = Path()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.requests = {}

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            print(f"closed: code {event.error_code} {event.reason_phrase!r}", flush=True)
        if not isinstance(event, StreamDataReceived):
            return
        request = self.requests.setdefault(event.stream_id, bytearray())
        request += event.data
        if event.end_stream or len(request) > LONGEST_REQUEST:
            self.answer(event.stream_id, bytes(self.requests.pop(event.stream_id)))

    def answer(self, stream_id, request):
        path = self.find(request)
        if path is None:
            self._quic.reset_stream(stream_id, UNKNOWN_FILE)
        else:
            self._quic.send_stream_data(stream_id, path.read_bytes(), end_stream=True)
        self.transmit()

    def find(self, request):
        method, _, target = request.decode(errors="replace").strip().partition(" ")
        path = (self.root / target.lstrip("/")).resolve()
        inside = path.is_relative_to(self.root.resolve())
        return path if method == "GET" and inside and path.is_file() else None


class HqClient(QuicConnectionProtocol):
    update_keys = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.transfers = {}
        self.received = 0

    def fetch(self, url, target):
        stream_id = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.transfers[stream_id] = (bytearray(), target, done)
        request = f"GET {urlsplit(url).path}\r\n".encode()
        self._quic.send_stream_data(stream_id, request, end_stream=True)
        self.transmit()
        return done

    def quic_event_received(self, event):
        if isinstance(event, StreamDataReceived):
            content, target, done = self.transfers[event.stream_id]
            content += event.data
            self.count(len(event.data))
            if event.end_stream:
                target.write_bytes(content)
                done.set_result(None)
        elif isinstance(event, StreamReset):
            self.fail(self.transfers[event.stream_id][2], f"reset: code {event.error_code}")
        elif isinstance(event, ConnectionTerminated):
            for _, _, done in self.transfers.values():
                self.fail(done, f"closed: code {event.error_code} {event.reason_phrase!r}")

    def count(self, received):
        self.received += received
        if self.update_keys and self.received > KEY_UPDATE_AFTER:
            self.update_keys = False
            self._quic.request_key_update()

    @staticmethod
    def fail(done, text):
        if not done.done():
            done.set_exception(RuntimeError(text))


def configuration(options):
    is_client = options.role == "client"
    made = QuicConfiguration(
        is_client=is_client,
        alpn_protocols=["h3" if options.case == "http3" else "hq-interop"],
        max_data=16 * 1024 * 1024,
        max_stream_data=8 * 1024 * 1024,
        idle_timeout=120,
    )
    if is_client and options.case == "chacha20":
        made.cipher_suites = [CipherSuite.CHACHA20_POLY1305_SHA256]
    if is_client and options.case == "v2":
        made.original_version = QuicProtocolVersion.VERSION_1
        made.supported_versions.reverse()
    if not is_client and options.case == "v2":
        made.supported_versions.reverse()
    if keys := os.environ.get("SSLKEYLOGFILE"):
        made.secrets_log_file = open(keys, "a")
    if traces := os.environ.get("QLOGDIR"):
        made.quic_logger = QuicFileLogger(traces)
    return made


async def run_server(options):
    HqServer.root = http3.Server.root = options.root
    made = configuration(options)
    made.load_cert_chain(options.cert, options.key)
    host, _, port = options.listen.rpartition(":")
    # Tickets by their label, each good for one connection.
    tickets = {}
    server = await serve(
        host.strip("[]"), int(port), configuration=made,
        create_protocol=http3.Server if options.case == "http3" else HqServer,
        retry=options.case == "retry",
        session_ticket_handler=lambda ticket: tickets.update({ticket.ticket: ticket}),
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
    )
    bound = server._transport.get_extra_info("sockname")
    print(f"ready: {bound[0]}:{bound[1]}", flush=True)
    await asyncio.Event().wait()


async def run_client(options):
    made = configuration(options)
    made.load_verify_locations(str(options.ca))
    HqClient.update_keys = options.case == "keyupdate"
    resumes = options.case in ("resumption", "zerortt")
    urls = options.url
    if options.case == "multiconnect":
        for url in urls:
            await fetch([url], made, options)
    elif resumes:
        made.session_ticket = await fetch_ticket(urls[:1], made, options)
        # Of a single file there is nothing left for the second connection but the same again.
        await fetch(urls[1:] or urls, made, options, early=options.case == "zerortt")
    else:
        await fetch(urls, made, options)


async def fetch(urls, made, options, early=False):
    """All of them over one connection."""
    first = urlsplit(urls[0])
    async with connect(
        first.hostname, first.port, configuration=made, wait_connected=not early,
        create_protocol=http3.Client if options.case == "http3" else HqClient,
    ) as client:
        await asyncio.gather(
            *(client.fetch(url, options.downloads / Path(urlsplit(url).path).name) for url in urls)
        )
        if early:
            print(f"early data: {client._quic.tls.early_data_accepted}", flush=True)


async def fetch_ticket(urls, made, options):
    """Fetches and waits for a ticket."""
    first = urlsplit(urls[0])
    ticket = asyncio.get_running_loop().create_future()
    async with connect(
        first.hostname, first.port, configuration=made, create_protocol=HqClient,
        session_ticket_handler=lambda it: ticket.done() or ticket.set_result(it),
    ) as client:
        await asyncio.gather(
            *(client.fetch(url, options.downloads / Path(urlsplit(url).path).name) for url in urls)
        )
        return await asyncio.wait_for(ticket, 20)


def from_environment():
    """As the runner calls it; what its containers mount is at WWW, DOWNLOADS and CERTS."""
    def read(name, otherwise=""):
        return os.environ.get(name, otherwise)

    role, case = read("ROLE"), read("TESTCASE")
    unsupported = CASES.get(case, {}).get(role, f"no case '{case}' as {role}")
    if unsupported:
        print(f"unsupported: {unsupported}", file=sys.stderr)
        sys.exit(127)
    certificates = Path(read("CERTS", "/certs"))
    return argparse.Namespace(
        role=role, case=case, listen=read("LISTEN", "[::]:443"), cert=certificates / "cert.pem",
        key=certificates / "priv.key", ca=certificates / "ca.pem", root=Path(read("WWW", "/www")),
        downloads=Path(read("DOWNLOADS", "/downloads")), url=read("REQUESTS").split())


def parse_arguments():
    parser = argparse.ArgumentParser(description="hq-interop on aioquic")
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server")
    server.add_argument("--listen", required=True)
    server.add_argument("--cert", type=Path, required=True)
    server.add_argument("--key", type=Path, required=True)
    server.add_argument("--root", type=Path, required=True)
    client = roles.add_parser("client")
    client.add_argument("--ca", type=Path, required=True)
    client.add_argument("--downloads", type=Path, required=True)
    client.add_argument("--early", action="store_true", help="0-RTT, after a connection for a ticket")
    client.add_argument("--url", nargs="+", required=True)
    roles.add_parser("endpoint")
    options = parser.parse_args()
    options.case = "zerortt" if getattr(options, "early", False) else "transfer"
    return options


def main():
    options = parse_arguments()
    if options.role == "endpoint":
        options = from_environment()
    try:
        asyncio.run(run_server(options) if options.role == "server" else run_client(options))
    except (OSError, RuntimeError, asyncio.TimeoutError) as problem:
        sys.exit(f"hq.py: {problem!r}")


if __name__ == "__main__":
    main()
