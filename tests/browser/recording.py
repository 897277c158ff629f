"""A loopback line that writes down every byte that comes through it."""

from __future__ import annotations

import socket
import socketserver
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """One request and what came back: the head as it was on the wire, and the body."""

    path: str
    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Names in small letters."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Recorder(socketserver.ThreadingTCPServer):
    """Passes connections on to `port`, and keeps what went each way, one pair of streams a connection."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.streams: list[tuple[bytearray, bytearray]] = []
        recorder = self

        class Line(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                asked, told = bytearray(), bytearray()
                recorder.streams.append((asked, told))
                with socket.create_connection(("127.0.0.1", port)) as server:
                    up = threading.Thread(target=_pump, args=(self.request, server, asked), daemon=True)
                    up.start()
                    _pump(server, self.request, told)
                    up.join(5)

        super().__init__(("127.0.0.1", 0), Line)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        """Stop listening; the thread that serves would turn on a closed socket for ever."""
        self.shutdown()
        super().server_close()

    @property
    def received(self) -> bytes:
        """Every byte that the browser was sent."""
        return b"\n".join(bytes(told) for _, told in self.streams)

    def exchanges(self) -> list[Exchange]:
        """Requests and responses, paired."""
        pairs = []
        for asked, told in self.streams:
            heads = [head.split(b" ")[1].decode() for head, _ in _messages(bytes(asked))]
            pairs += [Exchange(path, *message) for path, message in zip(heads, _messages(bytes(told)), strict=False)]
        return pairs


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    try:
        while data := source.recv(65536):
            kept.extend(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _messages(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Head and body of every HTTP/1.1 message in a stream whose bodies have a Content-Length."""
    messages = []
    while stream:
        head, _, stream = stream.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        messages.append((head, stream[:length]))
        stream = stream[length:]
    return messages
