"""The local copies: within their bound, and never those that somebody needs."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.storage.cache import GIB, LIMIT, Cache, cache_folder, cache_limit

ROOT = Path(__file__).parents[3]


def add(cache: Cache, key: str, size: int) -> Path:
    path = cache.scratch / key.replace("/", "-")
    path.write_bytes(b"x" * size)
    return cache.add(key, path)


def held(cache: Cache) -> dict[str, int]:
    objects = cache.folder / "objects"
    return {
        path.relative_to(objects).as_posix(): path.stat().st_size
        for path in sorted(objects.rglob("*"))
        if path.is_file()
    }


def age(path: Path, seconds: float) -> None:
    """Let the last use of the file lie so far back."""
    status = path.stat()
    os.utime(path, (time.time() - seconds, status.st_mtime))


def test_the_longest_unused_go_first(tmp_path):
    cache = Cache(tmp_path, limit=1000, in_use=100)
    for number in range(9):
        age(add(cache, f"media/{number}", 100), 1000 - number)
    assert cache.find("media/0") is not None  # used just now, though it came first
    for number in range(9, 13):
        age(add(cache, f"media/{number}", 100), 500)
    assert sum(held(cache).values()) <= 1000
    assert "media/0" in held(cache)
    assert cache.find("media/1") is None and cache.find("media/2") is None
    assert cache.find("media/8") is not None and cache.find("media/12") is not None


def test_the_bound_holds_however_much_passes_through(tmp_path):
    cache = Cache(tmp_path, limit=100_000, in_use=0)
    for number in range(250):
        add(cache, f"media/{number % 16:x}/{number}", 1000)
        assert sum(held(cache).values()) <= 105_000
    assert sum(held(cache).values()) >= 80_000


def test_what_was_asked_for_a_moment_ago_stays_even_beyond_the_bound(tmp_path):
    cache = Cache(tmp_path, limit=1000)
    paths = [add(cache, f"media/{number}", 400) for number in range(5)]
    assert all(path.exists() for path in paths)
    for path in paths[:4]:
        age(path, 3600)
    assert cache.find("media/1") == paths[1]
    add(cache, "media/5", 400)
    assert sorted(held(cache)) == ["media/1", "media/4", "media/5"]


def test_what_is_still_to_be_uploaded_stays(tmp_path):
    cache = Cache(tmp_path, limit=1000, in_use=0)
    path = cache.scratch / "made"
    path.write_bytes(b"x" * 600)
    pin = cache.add_pinned("media/waiting", path)
    for number in range(10):
        add(cache, f"media/{number}", 300)
    assert cache.path("media/waiting").read_bytes() == pin.read_bytes() == b"x" * 600
    pin.unlink()  # uploaded
    for number in range(10):
        add(cache, f"media/{number}", 300)
    assert cache.find("media/waiting") is None


FILL = """
import sys
from pathlib import Path
from catalog.storage.cache import Cache
cache = Cache(Path(sys.argv[1]), limit=200_000, in_use=0)
for number in range(200):
    path = cache.scratch / f"{sys.argv[2]}-{number}"
    path.write_bytes(b"x" * 2000)
    cache.add(f"media/{number % 10}/{sys.argv[2]}-{number}", path)
    cache.find(f"media/{number % 10}/{number}")
"""


def test_many_processes_share_it(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen([sys.executable, "-c", FILL, str(tmp_path), str(number)], env=env)
        for number in range(3)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    cache = Cache(tmp_path, limit=200_000)
    assert 100_000 < sum(held(cache).values()) <= 200_000 + 3 * 10_000
    assert list(cache.scratch.iterdir()) == []


def test_threads_may_add_the_same_object(tmp_path):
    cache = Cache(tmp_path, limit=10_000, in_use=0)

    def add_one(number: int) -> None:
        path = cache.scratch / str(number)
        path.write_bytes(b"x" * 500)
        cache.add(f"media/{number % 3}", path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(100)))
    assert held(cache) == {f"media/{number}": 500 for number in range(3)}


def test_where_it_lies_and_how_large_it_may_be(monkeypatch, tmp_path):
    for name in ("EDITMILL_STORAGE_CACHE", "EDITMILL_CACHE", "EDITMILL_CACHE_GIB"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder().parts[-2:] == ("editmill", "storage") and cache_limit() == LIMIT
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "storage"
    monkeypatch.setenv("EDITMILL_STORAGE_CACHE", str(tmp_path / "fast"))
    assert cache_folder() == tmp_path / "fast"
    monkeypatch.setenv("EDITMILL_CACHE_GIB", "1.5")
    assert cache_limit() == 1.5 * GIB


@pytest.mark.parametrize("wrong", ["much", "-1", "0", "nan", "inf"])
def test_a_bound_that_is_none(monkeypatch, wrong):
    monkeypatch.setenv("EDITMILL_CACHE_GIB", wrong)
    with pytest.raises(EditmillError, match="EDITMILL_CACHE_GIB is"):
        cache_limit()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EditmillError, match="not a folder"):
        _ = Cache(tmp_path / "file", 1000).scratch
