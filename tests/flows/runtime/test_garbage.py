"""Garbage of a build is found without a look at what was there before it."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from flows.runtime.garbage import only_new_garbage


class Node:
    """Garbage, once nobody else has it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    """The tests' own process freezes what it imported."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("nothing_frozen")
def test_new_garbage_is_found_and_nothing_is_kept_for_ever() -> None:
    old = Node()
    before = weakref.ref(old)
    with pytest.raises(KeyError), only_new_garbage():
        new = weakref.ref(Node())
        del old
        gc.collect()
        assert new() is None
        assert before() is not None
        raise KeyError
    gc.collect()
    assert before() is None


def test_what_the_process_has_frozen_itself_stays_frozen() -> None:
    assert gc.get_freeze_count()
    with only_new_garbage():
        pass
    assert gc.get_freeze_count()
