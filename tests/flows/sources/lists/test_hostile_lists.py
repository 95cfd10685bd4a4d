"""Lists that somebody else wrote are read, or refused in one line, by a process that may die."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from catalog.errors import EditmillError
from catalog.media.isolation import reader
from flows.sources.urls import UrlSources
from tests.flows.sources.lists.test_urls import ROWS, find, names, write

__all__ = ["find"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.jsonl", b'{"url": ' + b"[" * 2_000_000),
        ("wide.jsonl", b'{"url": "' + b"x" * (20 << 20) + b'"}'),
        ("wide.csv", b"url\n" + b"x" * (20 << 20) + b"\n"),
        ("zeros.csv", bytes(1 << 20)),
        ("quotes.csv", b'url\n"' + b"a\n" * 100_000),
        ("columns.csv", b",".join(b"c%d" % n for n in range(20_000)) + b"\n"),
        ("head.parquet", b"PAR1" + b"\xff" * 4096 + b"\xff\xff\xff\x7fPAR1"),
    ],
)
def test_a_hostile_list_is_one_line(name: str, content: bytes, tmp_path: Path, find) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EditmillError) as error:
        find(files=str(tmp_path / name))
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000
    good = write(tmp_path / "good.csv", ROWS)
    assert len(find(files=str(good)).files) == len(ROWS)


def test_a_table_that_is_small_on_the_disk_and_large_in_memory(tmp_path: Path, find) -> None:
    path = tmp_path / "bomb.parquet"
    pl.DataFrame({"url": ["a" * (40 << 20)] * 2}).write_parquet(path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    with pytest.raises(EditmillError, match=r"bomb\.parquet: (crashes its reader|cannot be read)"):
        find(files=str(path))


def test_mutated_tables_are_read_or_refused(tmp_path: Path, find) -> None:
    random = np.random.default_rng(0)
    for suffix in (".parquet", ".csv", ".jsonl"):
        good = np.frombuffer(write(tmp_path / f"good{suffix}", ROWS).read_bytes(), np.uint8)
        for number in range(25):
            bad = good.copy()
            bad[random.integers(0, len(bad), 4)] = random.integers(0, 256, 4)
            path = tmp_path / f"{number}{suffix}"
            path.write_bytes(bad.tobytes())
            try:
                assert len(names(find(files=str(path)))) <= len(ROWS)
            except EditmillError as error:
                assert "\n" not in str(error)


def test_the_list_is_not_read_in_this_process(tmp_path: Path, monkeypatch, find) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("read here")

    for name in ("scan_csv", "scan_parquet", "scan_ndjson", "read_parquet_metadata"):
        monkeypatch.setattr(pl, name, refused)
    path = tmp_path / "links.csv"
    path.write_text("url\nhttps://a.org/1.mp4\n")
    assert len(find(files=str(path)).files) == 1
    assert UrlSources and reader._idle[-1].child.pid != os.getpid()
