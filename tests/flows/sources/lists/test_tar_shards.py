"""Tar shards: samples by WebDataset's rules, rights from their texts, tars that are not whole."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset

from catalog.errors import EditmillError
from catalog.validated import validated
from flows.sources.files.paths import expanded
from flows.sources.source import Listing, RemoteVideo
from flows.sources.tar_shards import TarSources
from tests.flows.sources.lists.answers import Kept
from tests.flows.sources.lists.file_server import FileServer
from tests.flows.sources.lists.tars import tar_of

Find = Callable[..., Listing[RemoteVideo]]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def found(answers: Kept | None = None, **given: object) -> Listing[RemoteVideo]:
        section = validated(TarSources, {"kind": "webdataset", **given}, "recipe.yaml")
        return section.find(answers or Kept(tmp_path / "catalog"))

    return found


def content(video: RemoteVideo, folder: Path) -> bytes:
    path = folder / "fetched.mp4"
    video.address.download(path, lambda: None)
    return path.read_bytes()


def test_what_webdataset_writes_is_read_with_its_rights(tmp_path: Path, find: Find) -> None:
    with webdataset.TarWriter(str(tmp_path / "train-000000.tar")) as writer:
        for i in range(3):
            facts = {"rights": {"name": "CC0"}, "by": f"Ann {i}", "url": f"https://a.org/{i}?sig=s"}
            sample = {"__key__": f"deep/{i:04d}", "mp4": b"video %d" % i, "json": facts}
            writer.write({**sample, "txt": " a caption\n", "tgt.mp4": b"another", "jpg": b"\xff"})
    texts = {"licence": "json.rights.name", "author": "json.by", "page": "json.url"}
    found = find(shards=str(tmp_path), texts=texts).files
    assert [(v.name, v.licence, v.author, v.uri) for v in found] == [
        (f"train-000000/deep/{i:04d}.mp4", "CC0", f"Ann {i}", f"https://a.org/{i}")
        for i in range(3)
    ]
    assert [content(video, tmp_path) for video in found] == [b"video 0", b"video 1", b"video 2"]
    both = find(shards=str(tmp_path), suffixes=["mp4", "tgt.mp4"], texts={"author": "txt"}).files
    assert {content(video, tmp_path) for video in both if ".tgt." in video.name} == {b"another"}
    assert {video.author for video in both} == {"a caption"}
    assert both[0].uri == "train-000000.tar#deep/0000.mp4"


@pytest.mark.parametrize(
    "facts",
    [b"", b"{", b"[]", b'{"rights": 3}', b'{"rights": {"name": {}}}', b"\xff" * 9, b"[" * 99999],
)  # fmt: skip
def test_a_text_that_says_nothing_leaves_the_sections_licence(
    facts: bytes, tmp_path: Path, find: Find
) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of([("0.json", facts), ("0.mp4", b"video")]))
    texts = {"licence": "json.rights.name"}
    (video,) = find(shards=str(tmp_path), texts=texts, licence="mine").files
    assert video.licence == "mine"


def test_a_shard_is_walked_through_once(
    tmp_path: Path, find: Find, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/0.tar"] = tar_of([(f"{i}.mp4", b"v" * 5000) for i in range(50)])
    given = {"shards": f"{server.url}/0.tar", "hosts": ["127.0.0.1"]}
    first = find(**given)
    assert len(server.requests) < 10  # of 64 KiB; the tar has 300
    server.requests.clear()
    assert find(**given) == first
    assert len(server.requests) == 1  # whether it has changed
    server.files["/0.tar"] = tar_of([("9.mp4", b"another")])
    (video,) = find(**given).files
    assert content(video, tmp_path) == b"another"
    assert video.identity not in {video.identity for video in first.files}


def test_only_as_many_shards_are_opened_as_are_asked_for(
    tmp_path: Path, find: Find, server: FileServer
) -> None:
    for i in range(10):
        server.files[f"/{i}.tar"] = tar_of([("a.mp4", b"video %d" % i)])
    shards = f"{server.url}/{{0..9}}.tar"
    assert len(find(shards=shards, hosts=["127.0.0.1"], per_build=2).files) == 2
    assert {path for path in server.requests} == {"/0.tar", "/1.tar"}


def long_names() -> bytes:
    return tar_of([("x" * 300 + ".mp4", b"video")])


def special(kind: bytes, name: str = "1.mp4", size: int = 0) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
        info = tarfile.TarInfo("2.mp4")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"video"))
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (special(tarfile.SYMTYPE), "1 links, devices or sparse files"),
        (special(tarfile.LNKTYPE), "1 links, devices or sparse files"),
        (special(tarfile.CHRTYPE), "1 links, devices or sparse files"),
        (special(tarfile.FIFOTYPE), "1 links, devices or sparse files"),
        (special(tarfile.GNUTYPE_SPARSE), "1 links, devices or sparse files"),
        (tar_of([("../1.mp4", b"x"), ("2.mp4", b"video")]), "1 named by a path that leads out"),
        (tar_of([("a/../../1.mp4", b"x"), ("2.mp4", b"video")]), "1 named by a path that leads"),
        (tar_of([("/1.mp4", b"x"), ("2.mp4", b"video")]), "1 named by a path that leads out"),
        (special(tarfile.DIRTYPE), ""),
        (tar_of([(".mp4", b"x"), ("._2.mp4", b"x"), ("a", b"x"), ("2.mp4", b"video")]), ""),
    ],
)
def test_only_regular_files_inside_are_samples(
    data: bytes, note: str, tmp_path: Path, find: Find
) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    found = find(shards=str(tmp_path))
    assert [content(video, tmp_path) for video in found.files] == [b"video"]
    assert (note in " ".join(found.notes)) and bool(note) == bool(found.notes)


def samples(*numbers: int) -> bytes:
    return tar_of([(f"{n}.mp4", bytes([n]) * 2000) for n in numbers])


def negative() -> bytes:
    """A third header that says a size of -2^40, in GNU's base-256."""
    data = bytearray(samples(1, 2, 3))
    header = data[2 * 2560 : 2 * 2560 + 512]
    header[124:136] = b"\xff" + (256**11 - (1 << 40)).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data[2 * 2560 : 2 * 2560 + 512] = header
    return bytes(data)


def huge_extension() -> bytes:
    """A third video with a PAX record of 2 MB, which would all be held in memory."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("3.mp4")
        info.size, info.pax_headers = 2000, {"comment": "x" * (2 << 20)}
        tar.addfile(info, io.BytesIO(b"\3" * 2000))
    return samples(1, 2)[: 2 * 2560] + data.getvalue()


def nested_extensions() -> bytes:
    """Two samples, and as many extension headers in a row as make a recursion too deep."""
    header = bytearray(tarfile.TarInfo("x").tobuf(format=tarfile.USTAR_FORMAT))
    header[156:157] = b"x"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return samples(1, 2)[: 2 * 2560] + bytes(header) * 5000


DAMAGED = {
    "in a video": samples(1, 2, 3)[: 2 * 2560 + 1000],
    "in a header": samples(1, 2, 3)[: 2 * 2560 + 100],
    "between videos": samples(1, 2, 3)[: 2 * 2560],
    "a header overwritten": samples(1, 2)[: 2 * 2560] + b"\x01" * 5000,
    "a negative size": negative(),
    "a huge extension": huge_extension(),
    "nested extensions": nested_extensions(),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_of_a_damaged_tar_what_is_whole_is_used(data: bytes, tmp_path: Path, find: Find) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    answers = Kept(tmp_path / "catalog")
    found = find(answers, shards=str(tmp_path))
    assert [content(video, tmp_path) for video in found.files] == [b"\1" * 2000, b"\2" * 2000]
    assert len(found.notes) == 1
    assert "cut short or damaged; the 2 videos before that are used" in found.notes[0]
    assert not found.incomplete
    assert find(answers, shards=str(tmp_path)).notes == found.notes


def test_long_names_are_read(tmp_path: Path, find: Find) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / f"{form}.tar", "w", format=form) as tar:
            info = tarfile.TarInfo("ü" * 200 + ".mp4")
            info.size = 5
            tar.addfile(info, io.BytesIO(b"video"))
    found = find(shards=str(tmp_path)).files
    assert [video.name for video in found] == [f"{i}/{'ü' * 200}.mp4" for i in (1, 2)]


def test_what_is_no_tar_is_a_note_beside_those_that_are(tmp_path: Path, find: Find) -> None:
    (tmp_path / "a.tar").write_bytes(gzip.compress(samples(1)))
    (tmp_path / "b.tar").write_bytes(b"a page" * 1000)
    (tmp_path / "c.tar").touch()
    (tmp_path / "d.tar").write_bytes(samples(4))
    found = find(shards=str(tmp_path))
    assert [video.name for video in found.files] == ["d/4.mp4"]
    assert ["no tar" in note for note in found.notes] == [True] * 3
    (tmp_path / "d.tar").unlink()
    with pytest.raises(EditmillError, match=r"no video in it.*no tar"):
        find(shards=str(tmp_path))


def test_a_shard_that_does_not_answer_makes_the_listing_incomplete(
    tmp_path: Path, find: Find, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.sources.http.client.Patience.pause", lambda *_: 0.0)
    server.files |= {"/0.tar": samples(1), "/1.tar": samples(2)}
    server.busy["/0.tar"] = 1000
    given = {"shards": f"{server.url}/{{0..2}}.tar", "hosts": ["127.0.0.1"], "per_build": 2}
    answers = Kept(tmp_path / "catalog")
    found = find(answers, **given)
    assert [video.name for video in found.files] == ["1/2.mp4"]
    assert found.incomplete
    assert ["503" in note or "404" in note for note in found.notes] == [True, True]
    server.busy.clear()
    assert [video.name for video in find(answers, **given).files] == ["0/1.mp4", "1/2.mp4"]


def test_a_server_without_ranges_is_told(tmp_path: Path, find: Find, server: FileServer) -> None:
    server.ranges = False
    server.files["/0.tar"] = samples(1)
    with pytest.raises(EditmillError, match="HTTP ranges"):
        find(shards=f"{server.url}/0.tar", hosts=["127.0.0.1"])


def test_a_refused_key_of_a_shard_is_not_shown(find: Find, server: FileServer) -> None:
    with pytest.raises(EditmillError) as error:
        find(shards=f"{server.url}/0.tar?X-Amz-Signature=secret", hosts=["127.0.0.1"])
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a-{08..11}.tar", ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]),
        ("{a,b}/{0..1}.tar", ["a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"]),
        ("{a}.tar", ["{a}.tar"]),
        ("a.tar", ["a.tar"]),
    ],
)
def test_brace_lists_are_those_of_a_shell(pattern: str, names: list[str]) -> None:
    assert expanded(pattern) == names


@pytest.mark.parametrize("pattern", ["{5..1}.tar", "{0..99999999}.tar", "{0..9999}{0..9999}.tar"])
def test_a_brace_list_that_cannot_be_meant_is_refused(pattern: str) -> None:
    with pytest.raises(EditmillError):
        expanded(pattern)


def test_the_index_holds_what_is_needed_and_no_more(tmp_path: Path, find: Find) -> None:
    (tmp_path / "a.tar").write_bytes(samples(1, 2))
    answers = Kept(tmp_path / "catalog")
    find(answers, shards=str(tmp_path))
    (document,) = answers.documents
    assert json.loads(json.dumps(document)) == {
        "videos": [["1.mp4", 512, 2000, "", "", ""], ["2.mp4", 3072, 2000, "", "", ""]],
        "left_out": {},
        "cut_short": False,
    }
