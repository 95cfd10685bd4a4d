"""Temporary tables on a disk that becomes full."""

import pytest

from catalog.delta.scratch import scratch_tables, written
from catalog.errors import EditmillError


def test_a_full_disk_is_one_line() -> None:
    rows = scratch_tables("create table texts (text blob)")
    with written(rows):
        rows.execute("insert into texts values (?)", (b"short",))
    rows.execute("pragma max_page_count = 3")
    told = r"^temporary files: cannot be written \(database or disk is full\)"
    with pytest.raises(EditmillError, match=told), written(rows):
        rows.execute("insert into texts values (?)", (bytes(1 << 20),))
