"""Buckets: what lies below a prefix, and services that refuse or do not answer."""

from pathlib import Path

import obstore
import pytest

from catalog.errors import EditmillError
from catalog.storage.access import s3_access
from catalog.storage.faults import may_pass
from catalog.storage.objects import s3_store
from flows.sources.bucket import BucketSources
from flows.sources.files import s3
from flows.sources.urls import UrlSources
from tests.flows.sources.lists.answers import Kept


@pytest.fixture
def answers(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "catalog")


def put(uri: str, objects: dict[str, bytes]) -> None:
    bucket, prefix = s3.split(uri)
    store = s3_store(bucket, prefix, s3_access(), 10)
    for key, data in objects.items():
        obstore.put(store, key, data)


def section(uri: str) -> BucketSources:
    return BucketSources(kind="s3", uri=uri, licence="CC0")


ODD = ["a b#c?.mp4", "%41.mp4", "ü.mp4", "x+y.mp4", "~t.mp4", "deep/in/it.MOV"]


def test_videos_below_the_prefix_are_found_by_their_names(
    s3_uri: str, answers: Kept, tmp_path: Path
) -> None:
    others = ["notes.txt", "raw.r3d", "a.mp4.part"]
    put(s3_uri, {key: key.encode() for key in [*ODD, *others]})
    put(f"{s3_uri}-beside", {"beside.mp4": b"beside"})
    found = section(f"{s3_uri}/").find(answers)
    assert [video.name for video in found.files] == sorted(ODD, key=str.encode)
    for video in found.files:
        video.address.download(tmp_path / "fetched", lambda: None)
        assert (tmp_path / "fetched").read_bytes() == video.name.encode()
        assert (video.uri, video.licence) == (f"{s3_uri}/{video.name}", "CC0")
    assert "2 that are no video by name, 1 that are not read" in found.notes[0]


def test_an_object_that_was_replaced_is_another_video(s3_uri: str, answers: Kept) -> None:
    put(s3_uri, {"a.mp4": b"one"})
    (before,) = section(s3_uri).find(answers).files
    put(s3_uri, {"a.mp4": b"two"})
    (after,) = section(s3_uri).find(answers).files
    assert before.name == after.name and before.identity != after.identity


def test_only_as_many_pages_are_listed_as_are_asked_for(
    s3_uri: str, answers: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3_uri, {f"{i}.mp4": b"video" for i in range(5)})
    looked_at = []
    original = s3.listed

    def watched(*args: str):
        for found in original(*args):
            looked_at.append(found)
            yield found

    monkeypatch.setattr(s3, "listed", watched)
    some = section(s3_uri).model_copy(update={"per_build": 2})
    assert [video.name for video in some.find(answers).files] == ["0.mp4", "1.mp4"]
    assert len(looked_at) == 2


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "a-wrong-secret-key"}, "the secret key is wrong"),
        ({"AWS_ACCESS_KEY_ID": "AKIAWRONGWRONG"}, "the keys are wrong or may not do this"),
    ],
)
def test_refused_keys_are_told_and_not_shown(
    environment: dict[str, str], says: str, s3_uri: str, answers: Kept,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EditmillError) as error:
        section(s3_uri).find(answers)
    assert says in str(error.value)
    assert error.value.__cause__ is None and error.value.__context__ is None
    with pytest.raises(EditmillError) as listed:
        UrlSources(kind="urls", files=f"{s3_uri}/links.csv").find(answers)
    for value in (*environment.values(), s3_access().secret, s3_access().key_id):
        assert value not in f"{error.value} {listed.value}"


def test_a_bucket_that_is_not_there_is_told(s3_uri: str, answers: Kept) -> None:
    with pytest.raises(EditmillError, match="there is no such bucket"):
        section("s3://no-such-bucket/a").find(answers)
    with pytest.raises(EditmillError, match="no such object, or bucket"):
        UrlSources(kind="urls", files=f"{s3_uri}/none.csv").find(answers)


@pytest.mark.parametrize("uri", ["s3://AKIA:secret@bucket/a", "bucket/a", "s3:///a"])
def test_what_is_no_bucket_is_not_shown(uri: str, answers: Kept) -> None:
    with pytest.raises(EditmillError, match="expected s3://bucket/prefix") as error:
        section(uri).find(answers)
    assert "secret" not in str(error.value)


def test_a_service_that_does_not_answer_makes_the_listing_incomplete(
    s3_uri: str, answers: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RETRY_SECONDS", 0.0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found = section(s3_uri).find(answers)
    assert found.incomplete and not found.files
    assert "cannot be reached" in found.notes[0]


@pytest.mark.parametrize(
    ("status", "code", "passes"),
    [
        ("503 Service Unavailable", "SlowDown", True),
        ("500 Internal Server Error", "", True),
        ("429 Too Many Requests", "", True),
        ("403 Forbidden", "AccessDenied", False),
        ("400 Bad Request", "ExpiredToken", False),
        ("404 Not Found", "NoSuchBucket", False),
    ],
)
def test_which_faults_may_pass(status: str, code: str, passes: bool) -> None:
    """By texts as obstore has them."""
    text = f"Server returned non-2xx status code: {status}: <Error><Code>{code}</Code></Error>"
    assert may_pass(Exception(text)) is passes


def test_no_keys_at_all_do_not_pass() -> None:
    text = "error sending request for url (http://169.254.169.254/latest/api/token)"
    assert not may_pass(Exception(text))


def test_a_list_in_a_bucket_is_read(s3_uri: str, answers: Kept) -> None:
    put(s3_uri, {"links/0.csv": b"url\nhttps://a.org/0.mp4\n"})
    put(s3_uri, {"links/1.jsonl": b'{"url": "https://a.org/1.mp4"}\n', "links/readme.txt": b""})
    found = UrlSources(kind="urls", files=f"{s3_uri}/links").find(answers)
    assert [video.name for video in found.files] == ["a.org/0.mp4", "a.org/1.mp4"]
    some = UrlSources(kind="urls", files=f"{s3_uri}/*/?.csv").find(answers)
    assert [video.name for video in some.files] == ["a.org/0.mp4"]
