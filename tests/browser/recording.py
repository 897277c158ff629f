"""A loopback line that writes down every byte that comes through it, and when it came."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """One request and what came back: the head as it was on the wire, and the body; and when, in seconds."""

    method: str
    path: str
    head: bytes
    body: bytes
    asked_at: float  # the request was whole
    began_at: float  # the first byte of the response
    ended_at: float  # its last

    @property
    def headers(self) -> dict[str, str]:
        """Names in small letters."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Stream(bytearray):
    """The bytes of one direction, and the moment at which each piece came."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[tuple[int, float]] = []  # bytes so far, when

    def take(self, data: bytes) -> None:
        self.extend(data)
        self.pieces.append((len(self), time.perf_counter()))

    def moment(self, length: int) -> float:
        """When this many bytes were there."""
        return self.pieces[bisect_left(self.pieces, (length, 0.0))][1]


class Recorder(socketserver.ThreadingTCPServer):
    """Forwards connections to `port`, and records both directions, one pair of streams per connection."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.streams: list[tuple[Stream, Stream]] = []
        recorder = self

        class Line(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                asked, told = Stream(), Stream()
                recorder.streams.append((asked, told))
                with socket.create_connection(("127.0.0.1", port)) as server:
                    for end in (self.request, server):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a line that waits hides times
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
            for (request, _, _, whole), (head, body, start, end) in zip(
                _messages(asked), _messages(told), strict=False
            ):
                method, path, _ = request.split(b" ", 2)
                times = asked.moment(whole), told.moment(start + 1), told.moment(end)
                pairs.append(Exchange(method.decode(), path.decode(), head, body, *times))
        return pairs


def _pump(source: socket.socket, sink: socket.socket, kept: Stream) -> None:
    try:
        while data := source.recv(65536):
            kept.take(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _messages(stream: Stream) -> list[tuple[bytes, bytes, int, int]]:
    """Head and body of every HTTP/1.1 message in a stream whose bodies have a Content-Length; where each starts, and
    where it ends."""
    messages, start = [], 0
    while (end := stream.find(b"\r\n\r\n", start)) >= 0:
        head = bytes(stream[start:end])
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        end += 4 + length
        messages.append((head, bytes(stream[end - length : end]), start, min(end, len(stream))))
        start = end
    return messages
