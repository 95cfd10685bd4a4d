"""Garbage of a build is found without a look at what was there before it."""

import gc
import weakref

import pytest

from flows.runtime.garbage import only_new_garbage


class Node:
    """Garbage, once nobody else has it."""

    def __init__(self) -> None:
        self.itself = self


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
