"""A server with the APIs of Pexels and Pixabay, as their public documentation describes them, and
with the files that they link to.

Pexels (www.pexels.com/api/documentation): the key is the header `Authorization`; a page links to
the `next_page`; the limit's reset is a UNIX time, and its headers come with successes only.
Pixabay (pixabay.com/api/docs): the key is the parameter `key`; a page beyond the results, and a
wrong key, are errors 400 in plain text; the limit's reset is the seconds that are left.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

PEXELS_KEY = "pexels/secret+key=1"
PIXABAY_KEY = "11-pixabay&secret"
RENDITIONS = {"uhd": (3840, 2160), "qhd": (2560, 1440), "hd": (1920, 1080), "sd": (960, 540)}
BEGINNING = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"  # as an MP4 file begins

Reply = Callable[["Handler"], None]


def video_bytes(path: str, size: int) -> bytes:
    """A body for a file's path: told from any other, and begun as an MP4 is."""
    return (BEGINNING + b"\xff" + path.encode() * (size // len(path) + 1))[:size]


def reply(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
    """An answer as a whole."""
    return lambda handler: handler.answer(status, dict(headers or {}), body)


def cut(after: int, headers: Mapping[str, str] | None = None) -> Reply:
    """What would be answered, but the connection ends `after` bytes of the body."""
    return lambda handler: handler.ordinary(cut_after=after, extra=dict(headers or {}))


@dataclass
class StockServer:
    """What it has and what it was asked; `scripted` are answers in place of the next ordinary ones,
    by the start of a path."""

    results: list[int] = field(default_factory=list)  # ids, in the order of any search
    by_term: dict[str, list[int]] = field(default_factory=dict)  # of these terms, other ones
    size: int = 3000  # bytes of each file
    pexels_key: str = PEXELS_KEY
    pixabay_key: str = PIXABAY_KEY
    most_hits: int = 500  # that Pixabay gives of one search
    etag: str = '"one"'
    moved: bool = False  # file links have expired; fresh ones lie under /fresh
    limits: dict[str, str] = field(default_factory=dict)  # headers of each success of an API
    now: Callable[[], float] | None = None  # the server's clock
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    scripted: list[tuple[str, Reply]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, start: str, *replies: Reply) -> None:
        self.scripted += [(start, each) for each in replies]

    def asked(self, start: str) -> list[str]:
        return [path for path in self.requests if path.startswith(start)]

    def found(self, term: str) -> list[int]:
        return self.by_term.get(term, self.results)

    def take(self, path: str) -> Reply | None:
        with self.lock:
            for i, (start, each) in enumerate(self.scripted):
                if path.startswith(start):
                    del self.scripted[i]
                    return each
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stock: StockServer

    def handle(self) -> None:
        with suppress(ConnectionError):  # whoever asks may be killed
            super().handle()

    def log_message(self, *_: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.stock.now() if self.stock.now else timestamp, usegmt=True)

    def do_GET(self) -> None:
        with self.stock.lock:
            self.stock.requests.append(self.path)
            self.stock.headers.append({k.lower(): v for k, v in self.headers.items()})
        scripted = self.stock.take(self.path)
        scripted(self) if scripted else self.ordinary()

    def ordinary(self, cut_after: int | None = None, extra: dict[str, str] | None = None) -> None:
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if url.path.startswith(("/files/", "/fresh/")):
            self._file(url.path, cut_after, extra or {})
        elif url.path.startswith("/v1/"):
            self._pexels(url.path, query)
        elif url.path == "/api/videos/":
            self._pixabay(query)
        else:
            self.answer(404, {}, b"no such path")

    def answer(
        self, status: int, headers: dict[str, str], body: bytes, cut_after: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = body if cut_after is None else body[:cut_after]
        if "Transfer-Encoding" in headers:
            self.wfile.write(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
            if cut_after is None:
                self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(sent)
        if cut_after is not None:
            self.wfile.flush()
            self.close_connection = True

    def _json(self, document: Any) -> None:
        headers = {"Content-Type": "application/json", **self.stock.limits}
        self.answer(200, headers, json.dumps(document).encode())

    def _file(self, path: str, cut_after: int | None, extra: dict[str, str]) -> None:
        if self.stock.moved and not path.startswith("/fresh/"):
            self.answer(403, {}, b"the link has expired")
            return
        body = video_bytes(path, self.stock.size)
        headers = {"Content-Type": "video/mp4", "ETag": self.stock.etag, **extra}
        headers = {name: value for name, value in headers.items() if value}
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found and self.headers.get("If-Range", self.stock.etag) == self.stock.etag:
            start = int(found[1])
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.answer(206, headers, body[start:], cut_after)
        else:
            self.answer(200, headers, body, cut_after)

    def _link(self, video: int, name: str) -> str:
        folder = "fresh" if self.stock.moved else "files"
        return f"{self.stock.url}/{folder}/{video}/{name}.mp4"

    # Pexels

    def _pexels(self, path: str, query: dict[str, str]) -> None:
        if self.headers.get("Authorization") != self.stock.pexels_key:
            self.answer(401, {}, b'{"error": "Unauthorized"}')
            return
        if found := re.fullmatch(r"/v1/videos/videos/(\d+)", path):
            self._json(self._pexels_video(int(found[1])))
            return
        page, per_page = int(query.get("page", 1)), min(80, int(query.get("per_page", 15)))
        results = self.stock.found(query.get("query", ""))
        ids = results[(page - 1) * per_page : page * per_page]
        collection = path.startswith("/v1/collections/")
        if not collection and path not in ("/v1/videos/search", "/v1/videos/popular"):
            self.answer(404, {}, b'{"status": 404, "error": "Not Found"}')
            return
        videos = [self._pexels_video(each) for each in ids]
        document: dict[str, Any] = {
            "page": page,
            "per_page": per_page,
            "total_results": len(results),
            ("media" if collection else "videos"): (
                [{"type": "Video", **video} for video in videos] if collection else videos
            ),
        }
        if page * per_page < len(results):
            following = urlencode({**query, "page": page + 1})
            document["next_page"] = f"{self.stock.url}{path}?{following}"
        self._json(document)

    def _pexels_video(self, video: int) -> dict[str, Any]:
        return {
            "id": video,
            "width": 3840,
            "height": 2160,
            "duration": 5 + video % 20,
            "url": f"https://www.pexels.com/video/a-video-{video}/",
            "image": "https://images.example/preview.jpg",
            "user": {"id": 7, "name": f"Ana {video % 7}", "url": "https://www.pexels.com/@ana"},
            "video_files": [
                {
                    "id": video * 10 + height,
                    "quality": quality,
                    "file_type": "video/mp4",
                    "width": width,
                    "height": height,
                    "fps": 25.0,
                    "link": self._link(video, quality),
                }
                for quality, (width, height) in RENDITIONS.items()
            ]
            + [{"id": 1, "quality": "hls", "file_type": "video/mp4", "width": None,
                "height": None, "link": f"{self.stock.url}/files/{video}.m3u8"}],
            "video_pictures": [],
        }  # fmt: skip

    # Pixabay

    def _pixabay(self, query: dict[str, str]) -> None:
        if query.get("key") != self.stock.pixabay_key:
            self.answer(400, {}, b"[ERROR 400] Invalid or missing API key (https://...).")
            return
        ids = self.stock.found(query.get("q", ""))
        if "id" in query:
            ids = [each for each in ids if str(each) == query["id"]]
        page, per_page = int(query.get("page", 1)), int(query.get("per_page", 20))
        if not 3 <= per_page <= 200:
            self.answer(400, {}, b'[ERROR 400] "per_page" is out of valid range.')
            return
        hits = ids[: self.stock.most_hits]
        found = hits[(page - 1) * per_page : page * per_page]
        if not found and page > 1:
            self.answer(400, {}, b'[ERROR 400] "page" is out of valid range.')
            return
        self._json(
            {
                "total": len(ids),
                "totalHits": len(hits),
                "hits": [self._pixabay_video(each) for each in found],
            }
        )

    def _pixabay_video(self, video: int) -> dict[str, Any]:
        names = ("large", "medium", "small", "tiny")
        sizes = zip(names, RENDITIONS.items(), strict=True)
        return {
            "id": video,
            "pageURL": f"https://pixabay.com/videos/id-{video}/",
            "type": "film",
            "tags": "a, b",
            "duration": 5 + video % 20,
            "videos": {
                name: {
                    "url": self._link(video, quality),
                    "width": width,
                    "height": height,
                    "size": width * height,
                    "thumbnail": "",
                }
                for name, (quality, (width, height)) in sizes
            },
            "user_id": 3,
            "user": "Ben",
        }


@contextmanager
def running(**what: Any) -> Iterator[StockServer]:
    """A server on a free port of this machine, gone with the context."""
    stock = StockServer(**what)
    handler = type("StockHandler", (Handler,), {"stock": stock})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stock.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stock
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class FastClock:
    """A clock whose waits take no time; `waits` are they."""

    time: float = 1_800_000_000.0
    waits: deque[float] = field(default_factory=deque)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    def jitter(self) -> float:
        return 1.0
