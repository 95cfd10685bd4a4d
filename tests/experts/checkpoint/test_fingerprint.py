"""A folder is known by its bytes, which are read once."""

import os
from pathlib import Path

import pytest

from experts.checkpoint import fingerprint
from experts.checkpoint.fingerprint import WORTHWHILE, content_digest

SAME_TIME = 1_600_000_000


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had been there for a while."""
    monkeypatch.setattr(fingerprint, "SETTLED", -60.0)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read, as they are."""
    names: list[str] = []
    real = fingerprint.file_digest

    def counted(path: Path) -> str:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(fingerprint, "file_digest", counted)
    return names


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    os.utime(path, (SAME_TIME, SAME_TIME))
    return path


def test_large_files_are_read_once(tmp_path: Path, read: list[str], settled: None) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, name.encode() * WORTHWHILE)
    written(tmp_path / "small", b"s")
    first = content_digest(tmp_path, ["a", "b", "small"])
    assert sorted(read) == ["a", "b", "small"]
    read.clear()
    assert content_digest(tmp_path, ["small", "b", "a"]) == first
    assert read == ["small"]


def test_a_changed_file_is_read_again(tmp_path: Path, read: list[str], settled: None) -> None:
    path = written(tmp_path / "a", b"a" * WORTHWHILE)
    first = content_digest(tmp_path, ["a"])
    written(path, b"b" * WORTHWHILE)
    second = content_digest(tmp_path, ["a"])
    path.unlink()
    written(tmp_path / "other", b"c" * WORTHWHILE)
    (tmp_path / "other").rename(path)
    assert len({first, second, content_digest(tmp_path, ["a"])}) == 3
    assert len(read) == 3


def test_a_file_of_this_moment_is_not_remembered(tmp_path: Path, read: list[str]) -> None:
    """It may change again within the resolution of its time."""
    written(tmp_path / "a", b"a" * WORTHWHILE)
    content_digest(tmp_path, ["a"])
    content_digest(tmp_path, ["a"])
    assert read == ["a", "a"]


def test_bytes_count_and_names_do_not(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"2"), ("old", b"1")):
        written(tmp_path / name, content)
    assert content_digest(tmp_path, ["a"]) == content_digest(tmp_path, ["old"])
    assert content_digest(tmp_path, ["a", "b"]) != content_digest(tmp_path, ["b", "old"])


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITMILL_CACHE", str(written(tmp_path / "file", b"")))
    written(tmp_path / "a", b"a" * WORTHWHILE)
    assert content_digest(tmp_path, ["a"]) == content_digest(tmp_path, ["a"])
    assert read == ["a", "a"]
