"""Models take turns on a GPU: what is closed for whom, who waits, and that a batch is halved."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
import torch

from catalog.errors import EditmillError
from experts.batching import Batches, reduced
from experts.memory import Residents


@dataclass(eq=False)
class OnGpu:
    """A model of `device_bytes` that notes when it is loaded and closed."""

    name: str
    device_bytes: int
    device: str = "cuda"
    version: str = "1"
    is_loaded: bool = False
    loads: int = 0

    def load(self) -> None:
        self.loads += not self.is_loaded
        self.is_loaded = True

    def close(self) -> None:
        self.is_loaded = False


@dataclass(eq=False)
class Together:
    """A model put together from others."""

    parts: list[OnGpu]
    name: str = "together"
    version: str = "1"
    closed: list[str] = field(default_factory=list)

    def load(self) -> None:
        for part in self.parts:
            part.load()

    def close(self) -> None:
        for part in self.parts:
            part.close()


def test_what_fits_stays_and_what_was_used_longest_ago_goes_first():
    residents = Residents(budget=10)
    first, second, third = OnGpu("first", 4), OnGpu("second", 4), OnGpu("third", 4)
    for model in (first, second, first, third):
        with residents.using(model):
            assert model.is_loaded
    assert [m.is_loaded for m in (first, second, third)] == [True, False, True]
    assert [m.loads for m in (first, second, third)] == [1, 1, 1]


def test_a_model_that_cannot_be_loaded_takes_no_room():
    @dataclass(eq=False)
    class Broken(OnGpu):
        def load(self) -> None:
            super().load()
            raise EditmillError("broken: cannot be opened")

    residents = Residents(budget=10)
    first, broken, never, other = (
        OnGpu("first", 2),
        Broken("broken", 4),
        OnGpu("never", 2),
        OnGpu("other", 6),
    )
    with (
        pytest.raises(EditmillError, match="cannot be opened"),
        residents.using(first, broken, never),
    ):
        pass
    assert (first.is_loaded, broken.is_loaded) == (True, False)
    with residents.using(other):  # beside the first, which nothing needs to be closed for
        pass
    assert first.is_loaded
    assert residents.close_idle() == 2


def test_a_model_in_use_is_not_closed_and_the_other_waits_for_it():
    residents = Residents(budget=10)
    one, other = OnGpu("one", 6), OnGpu("other", 6)
    begun, entered = threading.Event(), threading.Event()

    def take_other() -> None:
        begun.set()
        with residents.using(other):
            entered.set()

    with residents.using(one):
        thread = threading.Thread(target=take_other)
        thread.start()
        begun.wait()
        assert not entered.wait(0.1)
        assert one.is_loaded and not other.is_loaded
    assert entered.wait(5)
    thread.join()
    assert other.is_loaded and not one.is_loaded


def test_a_thread_that_holds_a_model_does_not_wait():
    residents = Residents(budget=10)
    one, other = OnGpu("one", 6), OnGpu("other", 6)
    with residents.using(one), residents.using(other):
        assert one.is_loaded and other.is_loaded


def test_parts_count_each_by_itself():
    residents = Residents(budget=10)
    detector, tracker, encoder = OnGpu("detector", 3), OnGpu("tracker", 5), OnGpu("encoder", 6)
    with residents.using(Together([detector, tracker])):
        assert detector.is_loaded and tracker.is_loaded
    with residents.using(encoder):
        pass
    # The detector was loaded before the tracker, and closing it alone is not enough.
    assert (detector.is_loaded, tracker.is_loaded, encoder.is_loaded) == (False, False, True)


def test_a_model_with_weights_of_its_own_counts_beside_its_parts():
    @dataclass(eq=False)
    class Guided(OnGpu):
        guide: OnGpu | None = None

        @property
        def parts(self) -> list[OnGpu]:
            return [] if self.guide is None else [self.guide]

        def load(self) -> None:
            super().load()
            for part in self.parts:
                part.load()

    residents = Residents(budget=10)
    painter = OnGpu("painter", 4)
    guided, encoder = Guided("guided", 6, guide=painter), OnGpu("encoder", 4)
    with residents.using(guided):
        assert guided.is_loaded and painter.is_loaded
    with residents.using(encoder):
        pass
    assert (guided.is_loaded, painter.is_loaded, encoder.is_loaded) == (False, True, True)
    tight = Residents(budget=9)
    with pytest.raises(EditmillError, match="guided and painter"), tight.using(guided):
        pass


def test_models_of_different_devices_do_not_mind_each_other():
    residents = Residents(budget=10)
    one, other = OnGpu("one", 8, "cuda:0"), OnGpu("other", 8, "cuda:1")
    with residents.using(one), residents.using(other):
        pass
    assert one.is_loaded and other.is_loaded


def test_more_than_the_budget_is_one_line():
    residents = Residents(budget=4 << 30)
    with (
        pytest.raises(EditmillError, match=r"large: 6.0 GiB are needed on cuda and 4.0 may be"),
        residents.using(OnGpu("large", 6 << 30)),
    ):
        pass


def test_what_fails_to_load_is_not_held():
    residents = Residents(budget=10)

    class Broken(OnGpu):
        def load(self) -> None:
            raise EditmillError("its file is broken")

    broken, other = Broken("broken", 8), OnGpu("other", 8)
    with pytest.raises(EditmillError), residents.using(broken):
        pass
    with residents.using(other):
        assert other.is_loaded


def test_a_batch_that_is_too_large_is_halved_and_the_smaller_one_kept():
    sizes: list[int] = []

    def call(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * item for item in batch]

    batches = Batches("greedy", 8)
    assert batches.over(range(10), call) == [2 * item for item in range(10)]
    assert sizes == [8, 4, 2, 2, 2, 2, 2]
    assert batches.over(range(2), call) == [0, 2]
    assert reduced()["greedy"] == (8, 2)


def test_one_item_beyond_the_memory_is_an_error_and_so_is_any_other_fault():
    def never(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Batches("hopeless", 4).over(range(4), never)

    def wrong(batch):
        raise ValueError("shape")

    with pytest.raises(ValueError, match="shape"):
        Batches("wrong", 4).over(range(4), wrong)
