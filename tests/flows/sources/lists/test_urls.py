"""Lists of links: which videos they name, what names a link, and what is wrong with a list."""

import hashlib
import json
from codecs import BOM_UTF8
from pathlib import Path

import polars as pl
import pytest

from catalog.errors import BadInput, EditmillError
from catalog.validated import validated
from flows.sources.links.stable import stable_link
from flows.sources.source import Listing, RemoteVideo
from flows.sources.urls import UrlSources
from tests.flows.sources.lists.answers import Kept
from tests.flows.sources.lists.file_server import FileServer

HOSTS = ["127.0.0.1"]


def section(**given: object) -> UrlSources:
    return validated(UrlSources, {"kind": "urls", **given}, "recipe.yaml")


@pytest.fixture
def find(tmp_path: Path):
    def found(round: int = 1, **given: object) -> Listing[RemoteVideo]:
        return section(**given).find(Kept(tmp_path / "catalog", round))

    return found


def names(listing: Listing[RemoteVideo]) -> list[str]:
    return [video.name for video in listing.files]


ROWS = [
    {"url": "https://a.org/1.mp4", "licence": "CC0", "author": "Ann", "width": 1920},
    {"url": "https://a.org/2.webm", "licence": None, "author": None, "width": 640},
    {"url": "https://a.org/3.mp4", "licence": "CC-BY-4.0", "author": "Bo", "width": 1280},
]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    frame = pl.DataFrame(rows)
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case ".parquet":
            frame.write_parquet(path)
        case _:
            frame.write_ndjson(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"])
def test_each_kind_of_list_gives_the_same_videos(suffix: str, tmp_path: Path, find) -> None:
    path = write(tmp_path / f"links{suffix}", ROWS)
    found = find(files=str(path), licence="mine").files
    assert [(v.name, v.uri, v.licence, v.author, v.suffix) for v in found] == [
        ("a.org/1.mp4", "https://a.org/1.mp4", "CC0", "Ann", ".mp4"),
        ("a.org/2.webm", "https://a.org/2.webm", "mine", "", ".webm"),
        ("a.org/3.mp4", "https://a.org/3.mp4", "CC-BY-4.0", "Bo", ".mp4"),
    ]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_query_selects_by_number_and_renames(suffix: str, tmp_path: Path, find) -> None:
    path = write(tmp_path / f"links{suffix}", ROWS)
    query = "select url, author as maker from links where width >= 1280 order by width"
    found = find(files=str(path), query=query, columns={"author": "maker"})
    assert [(v.name, v.author) for v in found.files] == [
        ("a.org/3.mp4", "Bo"),
        ("a.org/1.mp4", "Ann"),
    ]


def test_several_files_are_one_list(tmp_path: Path, find) -> None:
    write(tmp_path / "b-0.csv", ROWS[:1])
    write(tmp_path / "b-1.csv", ROWS[1:2])
    write(tmp_path / "a.parquet", ROWS[2:])
    found = find(files=[str(tmp_path / "b-{0..1}.csv"), str(tmp_path / "*.parquet")])
    assert names(found) == ["a.org/1.mp4", "a.org/2.webm", "a.org/3.mp4"]
    assert names(find(files=str(tmp_path / "b-*.csv"))) == ["a.org/1.mp4", "a.org/2.webm"]


def test_a_column_that_begins_late_in_json_lines_is_read(tmp_path: Path, find) -> None:
    rows = [{"url": f"https://a.org/{i}.mp4"} for i in range(2000)]
    rows[1999]["licence"] = "CC0"
    path = tmp_path / "links.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert find(files=str(path)).files[1999].licence == "CC0"


def test_one_column_may_serve_twice(tmp_path: Path, find) -> None:
    path = write(tmp_path / "links.csv", ROWS[:1])
    (video,) = find(files=str(path), columns={"url": "url", "page": "url"}).files
    assert video.uri == "https://a.org/1.mp4"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_byte_order_mark_is_read_or_told(suffix: str, tmp_path: Path, find) -> None:
    path = write(tmp_path / f"links{suffix}", ROWS)
    path.write_bytes(BOM_UTF8 + path.read_bytes())
    if suffix == ".csv":
        assert len(find(files=str(path)).files) == len(ROWS)
        return
    with pytest.raises(EditmillError, match="byte-order mark; save it without one"):
        find(files=str(path))


def test_a_link_twice_is_one_video(tmp_path: Path, find) -> None:
    links = [
        "https://a.org/1.mp4?X-Amz-Signature=one&X-Amz-Date=1",
        "https://A.org:443/1.mp4?X-Amz-Signature=two&X-Amz-Date=2",
        "http://a.org/1.mp4#t=10",
        "https://a.org/1.mp4?v=2",
    ]
    found = find(files=str(write(tmp_path / "l.csv", [{"url": link} for link in links])))
    assert names(found) == ["a.org/1.mp4", "a.org/1.mp4?v=2"]
    assert "2 named twice" in found.notes[0]


@pytest.mark.parametrize(
    ("link", "stable"),
    [
        ("https://s3.aws.com/a.mp4?X-Amz-Credential=K&X-Amz-Expires=60&id=3", "?id=3"),
        ("https://s3.aws.com/a.mp4?AWSAccessKeyId=K&Expires=1&Signature=s", ""),
        ("https://s3.aws.com/a.mp4?X-Goog-Signature=s&alt=media", "?alt=media"),
        ("https://s3.aws.com/a.mp4?Key-Pair-Id=K&Policy=p&Signature=s", ""),
        ("https://s3.aws.com/a.mp4?sv=2024&sr=b&se=2026&sp=r&sig=s", ""),
        ("https://s3.aws.com/a.mp4?sp=r&sr=b", "?sp=r&sr=b"),  # no signature: they mean something
        ("https://s3.aws.com/a.mp4?token=t&hdnts=exp~acl", ""),
        ("https://s3.aws.com/a.mp4", ""),
        ("https://S3.aws.com:443/a.mp4#t=3", ""),
        ("https://user:secret@s3.aws.com/a.mp4", ""),
        ("https://s3.aws.com/a.mp4?b=2&a=1&a=0&empty=", "?a=0&a=1&b=2&empty="),
    ],
)
def test_a_link_without_what_expires(link: str, stable: str) -> None:
    assert stable_link(link) == "https://s3.aws.com/a.mp4" + stable


@pytest.mark.parametrize(
    "link", ["", "a.mp4", "ftp://a.org/a.mp4", "https://", "file:///etc/passwd", "https://a.org:x/",
             "https://a.org/a\nb.mp4", "https://[::1/a.mp4"],
)  # fmt: skip
def test_what_is_no_link_is_left_out_and_counted(link: str, tmp_path: Path, find) -> None:
    path = write(tmp_path / "l.jsonl", [{"url": link}, *ROWS])
    found = find(files=str(path))
    assert len(found.files) == 3
    assert "1 without an http(s) link" in found.notes[0]


def test_a_row_may_name_video_and_page(tmp_path: Path, find) -> None:
    row = {"url": "https://a.org/1.mp4", "title": "A cat", "page": "https://a.org/cats"}
    found = find(files=str(write(tmp_path / "l.csv", [row])), columns={"name": "title"})
    assert [(v.name, v.uri) for v in found.files] == [("A cat", "https://a.org/cats")]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"query": "delete from links"}, "is no SELECT"),
        ({"query": "drop table links"}, "is no SELECT"),
        ({"query": "selekt"}, "is no SELECT"),
        ({"query": "select url from videos"}, "relation 'videos' was not found"),
        ({"query": "select url from links; select 1"}, "one statement"),
        ({"query": "select licence from links"}, "has no column 'url', only licence"),
        ({"columns": {"author": "maker"}}, "has no column 'maker', only url, licence"),
        ({"files": "{0}/none.csv"}, "no file there"),
        ({"files": "{0}/empty.csv"}, "an empty file"),
        ({"files": "{0}/header.csv"}, "no video in it"),
        ({"files": "{0}/ragged.csv"}, "cannot be read"),
        ({"files": "{0}/no.parquet"}, "cannot be read"),
        ({"files": "{0}/no.jsonl"}, "cannot be read"),
        ({"files": "{0}/list.txt"}, "no list of links by its name"),
        ({"files": "https://a.org/list.csv"}, "fetch it first"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    given: dict[str, object], says: str, tmp_path: Path, find
) -> None:
    write(tmp_path / "links.csv", ROWS)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "header.csv").write_text("url\n")
    (tmp_path / "ragged.csv").write_text("url,licence\nhttps://a.org/1,2.mp4,CC0\n")
    (tmp_path / "no.parquet").write_bytes(b"PAR1")
    (tmp_path / "no.jsonl").write_text("{no\n")
    (tmp_path / "list.txt").write_text("https://a.org/1.mp4\n")
    given = {"files": "{0}/links.csv", **given}
    given["files"] = str(given["files"]).replace("{0}", str(tmp_path))
    with pytest.raises(EditmillError) as error:
        find(**given)
    message = str(error.value).replace("one (and only one) statement", "one statement")
    assert says in message and "\n" not in message


def test_rounds_follow_a_list_that_changes(tmp_path: Path, find) -> None:
    """What was taken stays in place under links signed anew; what is gone from the list leaves."""
    path = tmp_path / "links.csv"

    def list_of(*numbers: int, day: int) -> None:
        write(path, [{"url": f"https://a.org/{n}.mp4?Expires={day}"} for n in numbers])

    def numbers(round: int) -> list[str]:
        return [n.removeprefix("a.org/").removesuffix(".mp4") for n in names(found(round))]

    def found(round: int) -> Listing[RemoteVideo]:
        return find(round, files=str(path), per_build=2)

    list_of(3, 4, 5, day=1)
    assert numbers(1) == ["3", "4"]
    list_of(1, 2, 3, 4, 5, day=2)
    assert numbers(1) == ["3", "4"]  # the build was killed, and goes on
    assert numbers(2) == ["3", "4", "1", "2"]
    assert found(2).files[0].address.link.endswith("Expires=2")
    list_of(1, 2, 4, 5, day=3)
    assert numbers(3) == ["4", "1", "2", "5"]
    assert numbers(4) == ["4", "1", "2", "5"]


def test_only_as_much_of_a_list_is_read_as_is_asked_for(tmp_path: Path, find, monkeypatch) -> None:
    """A list of 300 000 links: 50 of them make no more than a batch of videos."""
    path = tmp_path / "links.csv"
    path.write_text("url\n" + "".join(f"https://a.org/{i}.mp4\n" for i in range(300_000)))
    looked_at = 0
    original = UrlSources._video

    def counted(*args: object) -> object:
        nonlocal looked_at
        looked_at += 1
        return original(*args)

    monkeypatch.setattr(UrlSources, "_video", counted)
    assert len(find(files=str(path), limit=50).files) == 50
    assert looked_at == 50


def test_another_content_than_its_sha256_is_refused(
    tmp_path: Path, find, server: FileServer, clips: list[bytes]
) -> None:
    server.files["/a.mp4"] = clips[0]
    rows = [
        {"url": f"{server.url}/a.mp4", "sha256": hashlib.sha256(clips[0]).hexdigest().upper()},
        {"url": f"{server.url}/a.mp4?v=1", "sha256": hashlib.sha256(clips[1]).hexdigest()},
        {"url": f"{server.url}/a.mp4?v=2", "sha256": "no sha256"},
    ]
    found = find(files=str(write(tmp_path / "l.csv", rows)), hosts=HOSTS)
    assert "1 with a sha256 that is none" in found.notes[0]
    right, wrong = found.files
    right.address.download(tmp_path / "right.mp4", lambda: None)
    assert (tmp_path / "right.mp4").read_bytes() == clips[0]
    with pytest.raises(BadInput) as error:
        wrong.address.download(tmp_path / "wrong.mp4", lambda: None)
    assert (error.value.reason, error.value.final) == ("other_content", True)
    assert not (tmp_path / "wrong.mp4").exists()


def test_a_private_host_must_be_named(
    tmp_path: Path, find, server: FileServer, clips: list[bytes]
) -> None:
    server.files["/a.mp4"] = clips[0]
    path = write(tmp_path / "l.csv", [{"url": f"{server.url}/a.mp4?token=secret"}])
    (video,) = find(files=str(path)).files
    with pytest.raises(BadInput) as error:
        video.address.download(tmp_path / "a.mp4", lambda: None)
    assert (error.value.reason, error.value.final) == ("private_address", False)
    assert not server.requests
    assert "secret" not in f"{video} {error.value}"


def test_a_list_without_an_end_is_refused(tmp_path: Path, find, monkeypatch) -> None:
    path = tmp_path / "links.csv"
    write(path, [{"url": f"https://a.org/{n}.mp4"} for n in range(5)])
    monkeypatch.setattr("flows.sources.rounds.MOST_VIDEOS", 4)
    with pytest.raises(EditmillError, match="more than 4 videos; split it"):
        find(files=str(path))
    assert len(find(files=str(path), limit=3).files) == 3


def test_only_links_to_the_net_are_links(tmp_path: Path, find) -> None:
    hostile = ["file:///etc/passwd", "ftp://a.org/1.mp4", "../../etc/passwd", "javascript:x",
               "https://a.org/\x1b[2J.mp4", "http:///1.mp4", "concat:a|b", "//a.org/1.mp4",
               "https://[::1", "http://a.org:99999/1.mp4"]  # fmt: skip
    path = tmp_path / "links.jsonl"
    write(path, [{"url": each} for each in [*hostile, "https://a.org/1.mp4"]])
    listing = find(files=str(path))
    assert names(listing) == ["a.org/1.mp4"]
    assert f"{len(hostile)} without an http(s) link" in listing.notes[0]
