"""A server that speaks the model hub's API, as far as a download needs it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "owner/model"
FILES = {
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 1200,
    "tokenizer/vocab.json": b'{"a": 0}',
}
OTHERS = {"README.md": b"#", "modeling.py": b"1", "pytorch_model.bin": b"\x80\x04."}
LARGE = 4096
"""Bytes from which a file is listed with its SHA-256, as the hub does for those in LFS."""


@dataclass
class Hub:
    """What it serves: files by repository, all at `COMMIT`; and how it misbehaves."""

    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    sent: dict[str, int] = field(default_factory=dict)  # bytes of each file, over all answers
    asked: list[str] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)  # bytes after which an answer breaks off
    cuts: int = 0  # how often
    ranges: bool = True
    spoiled: set[str] = field(default_factory=set)
    slow: float = 0.0  # seconds a chunk of 64 KiB

    def tree(self, repo: str) -> list[dict[str, object]]:
        return [_entry(name, content) for name, content in self.repos[repo].items()]


def _entry(name: str, content: bytes) -> dict[str, object]:
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": name, "size": len(content), "oid": blob}
    if len(content) >= LARGE:
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
    return entry


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port of this machine."""
    hub = Hub()

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def model_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Editmill's cache, empty; so is the hub's own, and no mirror is named."""
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "cache"))
    for name in ("EDITMILL_MIRROR", "EDITMILL_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one repository, which is asked in place of the real one.

    The client reads HF_ENDPOINT when it is imported, so its constants are set.
    """
    with serving() as served:
        served.repos[REPO] = {**FILES, **OTHERS}
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", served.url)
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield served


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.served.asked.append(path)
        parts = path.split("/")
        repo = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        if repo not in self.served.repos:
            return self._refuse(401, "RepoNotFound", "Invalid username or password.")
        if repo in self.served.gated:
            return self._refuse(403, "GatedRepo", "Access to this model is restricted.")
        if parts[0] != "api":
            commit, name = parts[3], "/".join(parts[4:])
            return self._send_file(repo, name) if commit == COMMIT else self._no_revision()
        if parts[4:] == ["revision", "main"]:
            return self._send_json({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": []})
        if parts[4:] != ["tree", COMMIT]:
            return self._no_revision()
        return self._send_json(self.served.tree(repo))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _no_revision(self) -> None:
        self._refuse(404, "RevisionNotFound", "Invalid rev id")

    def _refuse(self, status: int, code: str, message: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, repo: str, name: str) -> None:
        hub, whole = self.served, self.served.repos[repo][name]
        start = 0
        if hub.ranges and (asked := self.headers.get("Range", "")):
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(whole) - start))
        self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        body = whole[start:] if self.command == "GET" else b""
        if name in hub.spoiled and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if name in hub.cut and hub.cuts and self.command == "GET":
            hub.cuts -= 1
            body = body[: hub.cut[name]]
            self.close_connection = True
        try:
            for at in range(0, len(body), 1 << 16):
                chunk = body[at : at + (1 << 16)]
                self.wfile.write(chunk)
                hub.sent[name] = hub.sent.get(name, 0) + len(chunk)
                time.sleep(hub.slow)
        except OSError:  # whoever asked has gone
            self.close_connection = True
