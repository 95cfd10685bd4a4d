"""An HTTP server that plays both registries with tiny archives."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from experts.weights import manifest as weights

RNG = np.random.default_rng(0)
MODEL = RNG.bytes(300_000)  # does not compress: its size is what a server must send
OTHER = RNG.bytes(1_500_000)
ENCODER = RNG.bytes(400_000)
DECODER = RNG.bytes(50_000)


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/other.bin", OTHER)
        archive.writestr("tiny/model.pth", MODEL)
        archive.writestr("tiny/__init__.py", "raise SystemExit('package code was run')")
    return buffer.getvalue()


def tape(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return buffer.getvalue()


class Registry(ThreadingHTTPServer):
    """Both registries. `cut_after`: bytes after which the next large answer breaks off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.files = {
            "tiny_model-1.0-py3-none-any.whl": wheel(),
            "tiny_model-1.0.tar.gz": tape({"tiny_model-1.0/clip.mp4": MODEL}),
            "tiny-sam-2.0.0.tgz": tape({"package/enc.ort": ENCODER, "package/dec.onnx": DECODER}),
        }
        self.ranges = True
        self.html = False
        self.cut_after: int | None = None
        self.hits: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.asked_ranges: list[tuple[str, str]] = []


class Answer(BaseHTTPRequestHandler):
    server: Registry

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        registry_ = self.server
        name = self.path.rpartition("/")[2]
        if self.path == "/simple/tiny-model/":
            names = [n for n in registry_.files if not n.endswith(".tgz")]
            if registry_.html:
                links = "".join(f'<a href="../../files/{n}#sha256=0">{n}</a>' for n in names)
                self.reply(f"<html>{links}</html>".encode(), "text/html")
            else:
                files = [{"filename": n, "url": f"/files/{n}"} for n in names]
                body = json.dumps({"files": files}).encode()
                self.reply(body, "application/vnd.pypi.simple.v1+json")
        elif self.path == "/@tiny%2fsam":
            tarball = f"{registry_.address}/files/tiny-sam-2.0.0.tgz"
            body = {"versions": {"2.0.0": {"dist": {"tarball": tarball}}}}
            self.reply(json.dumps(body).encode(), "application/json")
        elif self.path.startswith("/files/") and name in registry_.files:
            self.reply_file(name, registry_.files[name])
        else:
            self.send_error(404)

    def reply(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reply_file(self, name: str, content: bytes) -> None:
        registry_ = self.server
        registry_.hits[name] += 1
        asked = self.headers.get("Range")
        if asked:
            registry_.asked_ranges.append((name, asked))
        if asked and registry_.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or len(content)), len(content) - 1)
            if begin >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = content[begin : end + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
        else:
            body = content
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = registry_.cut_after
        if cut is not None and len(body) > cut:
            registry_.cut_after = None
            body = body[:cut]
            self.close_connection = True
        registry_.sent[name] += len(body)
        self.wfile.write(body)


SLOTS = {
    "model": ("model.pth", MODEL, "pypi", "tiny.model", "1.0", "tiny/model.pth", None),
    "clip": ("clip.mp4", MODEL, "pypi", "tiny_model", "1.0", "tiny_model-1.0/clip.mp4", "sdist"),
    "enc": ("enc.ort", ENCODER, "npm", "@tiny/sam", "2.0.0", "package/enc.ort", None),
    "dec": ("dec.onnx", DECODER, "npm", "@tiny/sam", "2.0.0", "package/dec.onnx", None),
    "gone": ("gone.pth", MODEL, "pypi", "tiny_model", "9.9", "tiny/model.pth", None),
    "moved": ("moved.pth", MODEL, "pypi", "tiny_model", "1.0", "tiny/nowhere.pth", None),
    "unheard": ("unheard.pth", MODEL, "npm", "unheard", "1.0.0", "package/a", None),
}


def manifest() -> str:
    lines = []
    for slot, (basename, content, kind, package, version, path, archive) in SLOTS.items():
        digest = hashlib.sha256(content).hexdigest()
        source = f'kind="{kind}", package="{package}", version="{version}", path="{path}"'
        source += f', archive="{archive}"' if archive else ""
        lines += [
            f'[{slot}]\nwhat="x"\nbasename="{basename}"\nsha256="{digest}"\nbytes={len(content)}',
            f'licence="MIT"\nlicence_from="x"\nused_by="x"\nsources=[{{{source}}}]',
        ]
    return "\n".join(lines)


def leftovers() -> list[str]:
    """Files in the cache that are neither a slot's nor a lock."""
    whole = {slot.path for slot in weights.entries()}
    found = (path for path in weights.cache_dir().rglob("*") if path.is_file())
    return [path.name for path in found if path not in whole and path.suffix != ".lock"]
