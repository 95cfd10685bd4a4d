"""Uploads beside the computation: bounded, each once, and none forgotten."""

import threading
from pathlib import Path

import pytest

from catalog.storage.uploads import Uploads


class Line:
    """A line to a storage: slow, or broken."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.sent: list[str] = []
        self.broken: set[str] = set()

    def send(self, key: str, path: Path) -> None:
        self.open.wait(30)
        assert path.exists()
        if key in self.broken:
            raise RuntimeError(key)
        self.sent.append(key)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def file(tmp_path):
    def make(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(b"x")
        return path

    return make


def test_a_computation_that_is_faster_than_the_line_waits(line, file):
    uploads = Uploads(line.send, threads=2, waiting=3)
    for name in "abc":
        uploads.add(name, file(name))
    fourth = threading.Thread(target=uploads.add, args=("d", file("d")))
    fourth.start()
    fourth.join(0.1)
    assert fourth.is_alive() and line.sent == [] and "a" in uploads
    line.open.set()
    fourth.join(30)
    uploads.flush()
    assert sorted(line.sent) == ["a", "b", "c", "d"] and "a" not in uploads


def test_a_file_goes_when_it_is_stored_and_a_key_is_sent_once(line, file):
    uploads = Uploads(line.send)
    first, second = file("first"), file("second")
    uploads.add("a", first)
    uploads.add("a", second)
    assert uploads.path("a") == first and not second.exists()
    line.open.set()
    uploads.flush()
    assert line.sent == ["a"] and not first.exists() and uploads.path("a") is None


def test_what_failed_is_told_kept_and_tried_by_the_next_flush(line, file):
    uploads = Uploads(line.send)
    line.broken, kept = {"b"}, file("b")
    line.open.set()
    uploads.add("a", file("a"))
    uploads.add("b", kept)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="b"):
            uploads.flush()
    with pytest.raises(RuntimeError, match="b"):
        uploads.check()
    assert kept.exists() and "b" in uploads
    line.broken = set()
    uploads.flush()
    uploads.check()
    assert line.sent == ["a", "b"] and not kept.exists()


def test_a_flush_does_not_wait_for_what_others_add_meanwhile(file):
    gates = {"mine": threading.Event(), "other": threading.Event()}
    uploads = Uploads(lambda key, path: gates[key].wait(30))
    uploads.add("mine", file("mine"))
    flush = threading.Thread(target=uploads.flush)
    flush.start()
    flush.join(0.1)
    assert flush.is_alive()
    uploads.add("other", file("other"))
    gates["mine"].set()
    flush.join(10)
    assert not flush.is_alive() and "other" in uploads
    gates["other"].set()
    uploads.flush()
