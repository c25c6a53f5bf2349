"""A hq-interop client and server on aioquic.

    hq.py server --listen HOST:PORT --cert FILE --key FILE --root DIR
    hq.py client --ca FILE --downloads DIR [--early] --url URL...

One client-initiated bidirectional stream per file: `GET /name` and a line end, then the end of the
stream; the answer is the bytes of the file. SSLKEYLOGFILE and QLOGDIR are honoured.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived, StreamReset
from aioquic.quic.logger import QuicFileLogger

ALPN = "hq-interop"
LONGEST_REQUEST = 4096
UNKNOWN_FILE = 1


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
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.transfers = {}

    def fetch(self, path, target):
        stream_id = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.transfers[stream_id] = (target.open("wb"), done)
        self._quic.send_stream_data(stream_id, f"GET {path}\r\n".encode(), end_stream=True)
        self.transmit()
        return done

    def quic_event_received(self, event):
        if isinstance(event, StreamDataReceived):
            file, done = self.transfers[event.stream_id]
            file.write(event.data)
            if event.end_stream:
                file.close()
                done.set_result(None)
        elif isinstance(event, StreamReset):
            self.fail(self.transfers[event.stream_id][1], f"reset: code {event.error_code}")
        elif isinstance(event, ConnectionTerminated):
            for _, done in self.transfers.values():
                self.fail(done, f"closed: code {event.error_code} {event.reason_phrase!r}")

    @staticmethod
    def fail(done, text):
        if not done.done():
            done.set_exception(RuntimeError(text))


def configuration(is_client):
    made = QuicConfiguration(
        is_client=is_client,
        alpn_protocols=[ALPN],
        max_data=16 * 1024 * 1024,
        max_stream_data=8 * 1024 * 1024,
    )
    if keys := os.environ.get("SSLKEYLOGFILE"):
        made.secrets_log_file = open(keys, "a")
    if traces := os.environ.get("QLOGDIR"):
        made.quic_logger = QuicFileLogger(traces)
    return made


async def run_server(options):
    HqServer.root = options.root
    made = configuration(is_client=False)
    made.load_cert_chain(options.cert, options.key)
    host, _, port = options.listen.rpartition(":")
    # Tickets by their label, each good for one connection.
    tickets = {}
    server = await serve(
        host, int(port), configuration=made, create_protocol=HqServer,
        session_ticket_handler=lambda ticket: tickets.update({ticket.ticket: ticket}),
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
    )
    bound = server._transport.get_extra_info("sockname")
    print(f"ready: {bound[0]}:{bound[1]}", flush=True)
    await asyncio.Event().wait()


async def run_client(options):
    made = configuration(is_client=True)
    made.load_verify_locations(str(options.ca))
    first = urlsplit(options.url[0])
    if options.early:
        made.session_ticket = await fetch_ticket(first, made)
    async with connect(
        first.hostname, first.port, configuration=made, create_protocol=HqClient,
        wait_connected=not options.early,
    ) as client:
        paths = [urlsplit(url).path for url in options.url]
        await asyncio.gather(
            *(client.fetch(path, options.downloads / Path(path).name) for path in paths)
        )
        if options.early:
            print(f"early data: {client._quic.tls.early_data_accepted}", flush=True)


async def fetch_ticket(url, made):
    """A ticket of a connection that is made for it alone."""
    ticket = asyncio.get_running_loop().create_future()
    async with connect(
        url.hostname, url.port, configuration=made,
        session_ticket_handler=lambda it: ticket.done() or ticket.set_result(it),
    ):
        return await asyncio.wait_for(ticket, 10)


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
    return parser.parse_args()


def main():
    options = parse_arguments()
    try:
        asyncio.run(run_server(options) if options.role == "server" else run_client(options))
    except (OSError, RuntimeError) as problem:
        sys.exit(f"hq.py: {problem!r}")


if __name__ == "__main__":
    main()
