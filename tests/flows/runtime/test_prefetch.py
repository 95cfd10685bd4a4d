"""A record is read once, in a thread while the one before is in hand, and never two ahead."""

from __future__ import annotations

import threading

import pytest

from flows.runtime.prefetch import Prefetcher


def test_what_was_begun_is_read_once_and_beside_the_caller():
    read: list[tuple[int, bool]] = []
    caller = threading.current_thread()

    def read_it(record: int) -> str:
        read.append((record, threading.current_thread() is caller))
        return f"frames of {record}"

    with Prefetcher(read_it) as decoded:
        assert decoded.take(1) == "frames of 1"
        decoded.start(2)
        assert decoded.take(2) == "frames of 2"
    assert read == [(1, True), (2, False)]


def test_the_next_may_be_begun_before_this_one_is_taken():
    with Prefetcher(lambda record: record * 10) as decoded:
        decoded.start(1)
        decoded.start(2)
        assert [decoded.take(1), decoded.take(2)] == [10, 20]


def test_what_is_never_taken_is_let_go():
    with Prefetcher(lambda record: [record]) as decoded:
        for record in range(10):
            decoded.start(record)
        assert len(decoded._ahead) == 2


def test_a_fault_is_the_takers():
    def broken(record: int) -> None:
        raise ValueError(record)

    with Prefetcher(broken) as decoded:
        decoded.start(1)
        with pytest.raises(ValueError):
            decoded.take(1)
