"""A chat server on loopback that answers by a script, on good days and on bad ones."""

import http.server
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def choices(*contents: object) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": c}} for c in contents]}


def message(**fields: object) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **fields}}]}


Answer = tuple[int, Any, dict[str, str]]  # status, body, headers


class Fake:
    """A server whose `answer` is called with each request's path and body."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self.answer: Callable[[str, dict[str, Any]], Answer] = lambda *_: (404, {}, {})
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with fake._lock:
                    fake.requests.append(body)
                    fake.headers.append({k.lower(): v for k, v in self.headers.items()})
                    fake._at_once += 1
                    fake.most_at_once = max(fake.most_at_once, fake._at_once)
                try:
                    answer = fake.answer(self.path, body)
                finally:
                    with fake._lock:
                        fake._at_once -= 1
                self._send(*answer)

            def do_GET(self) -> None:
                self._send(*fake.answer(self.path, {}))

            def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
                if callable(body):
                    body(self)
                    return
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with suppress(OSError):  # the client may have seen enough
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def always(self, body: Any, status: int = 200, **headers: str) -> None:
        self.answer = lambda *_: (status, body, headers)

    def after(self, failures: int, status: int, **headers: str) -> None:
        """`failures` times `status`, then a text."""

        def answer(*_: object) -> Answer:
            if len(self.requests) <= failures:
                return (
                    status,
                    {"error": "not now"},
                    {k.replace("_", "-"): headers[k] for k in headers},
                )
            return 200, choices("Remove the car."), {}

        self.answer = answer
