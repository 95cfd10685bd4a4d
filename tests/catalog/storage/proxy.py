"""A network that breaks: a TCP proxy which ends connections when it is told to."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


def _answer(status: bytes, code: bytes) -> bytes:
    body = b"<Error><Code>%s</Code><Message>Not for these keys</Message></Error>" % code
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


_NOT_FOUND = _answer(b"404 Not Found", b"NoSuchKey")
_DENIED = _answer(b"403 Forbidden", b"AccessDenied")


class Proxy:
    """Passes bytes on to `target`, and back.

    `cut_requests` and `cut_answers` say how many more connections are ended as soon as that many
    bytes (`after`) went to the server or came back: 0 for none, -1 for all. `missed` are ends of
    paths that the next request for each does not find, though they are there; `denied` is a part
    of paths whose objects may be listed but not read.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut_requests = self.cut_answers = 0
        self.after = 0
        self.cuts = 0
        self.missed: list[str] = []
        self.denied = ""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for ends in ((client, server, "cut_requests"), (server, client, "cut_answers")):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, count: str) -> None:
        passed, source_asks = 0, count == "cut_requests"
        with suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if source_asks and self._misses(data):
                    source.sendall(_NOT_FOUND)
                    continue
                if source_asks and self._denies(data):
                    source.sendall(_DENIED)
                    continue
                if getattr(self, count) and passed > self.after:
                    setattr(self, count, getattr(self, count) - 1)
                    self.cuts += 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _misses(self, data: bytes) -> bool:
        path = data.partition(b" HTTP/")[0].decode(errors="replace").partition("?")[0]
        found = next((end for end in self.missed if path.endswith(end)), None)
        if found is not None:
            self.missed.remove(found)
        return found is not None

    def _denies(self, data: bytes) -> bool:
        method, _, rest = data.partition(b" ")
        path = rest.partition(b" ")[0].decode(errors="replace").partition("?")[0]
        return bool(self.denied) and method in (b"GET", b"HEAD") and self.denied in path


@contextmanager
def proxy_to(target: str) -> Iterator[Proxy]:
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
