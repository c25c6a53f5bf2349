"""HTTP/3 by aioquic's own implementation: files of a directory, and who fetches them."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.events import ConnectionTerminated


class Speaker(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)

    def quic_event_received(self, event):
        for http_event in self.http.handle_event(event):
            self.http_event_received(http_event)
        if isinstance(event, ConnectionTerminated):
            self.on_closed(f"closed: code {event.error_code} {event.reason_phrase!r}")

    def on_closed(self, text):
        pass


class Server(Speaker):
    root = Path()

    def http_event_received(self, event):
        if not isinstance(event, HeadersReceived):
            return
        path = (self.root / dict(event.headers)[b":path"].decode().lstrip("/")).resolve()
        found = path.is_relative_to(self.root.resolve()) and path.is_file()
        self.http.send_headers(event.stream_id, [(b":status", b"200" if found else b"404")],
                               end_stream=not found)
        if found:
            self.http.send_data(event.stream_id, path.read_bytes(), end_stream=True)
        self.transmit()


class Client(Speaker):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.transfers = {}

    def fetch(self, url, target):
        stream_id = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.transfers[stream_id] = (bytearray(), target, done)
        parts = urlsplit(url)
        self.http.send_headers(
            stream_id,
            [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", parts.netloc.encode()),
             (b":path", parts.path.encode())], end_stream=True)
        self.transmit()
        return done

    def http_event_received(self, event):
        if not isinstance(event, (HeadersReceived, DataReceived)):
            return
        content, target, done = self.transfers[event.stream_id]
        if isinstance(event, HeadersReceived) and dict(event.headers)[b":status"] != b"200":
            done.set_exception(RuntimeError("the server has no such file"))
        elif isinstance(event, DataReceived):
            content += event.data
        if event.stream_ended and not done.done():
            target.write_bytes(content)
            done.set_result(None)

    def on_closed(self, text):
        for _, _, done in self.transfers.values():
            if not done.done():
                done.set_exception(RuntimeError(text))
