"""A recipe's number of threads reaches every network, and changes no byte."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from experts import threads
from experts.annotate.detection import detect
from experts.annotate.detection.detect import Detector
from experts.annotate.maps.edges import Hed
from experts.annotate.shots import ShotDetector
from experts.annotate.tracking.segment import Segmenter
from experts.edit.remover.remover import Remover
from experts.edit.style.global_stylizer import GlobalStylizer
from experts.edit.style.local_stylizer import LocalStylizer
from experts.edit.style.painters import Painter
from experts.edit.style.styles import FILTER, STYLES
from flows.runtime import worker


@pytest.fixture
def numbers() -> Iterator[None]:
    """The process's numbers are put back."""
    before = threads.per_call(), cv2.getNumThreads(), torch.get_num_threads()
    yield
    threads.limit(before[0])
    cv2.setNumThreads(before[1])
    torch.set_num_threads(before[2])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The thread counts of the networks that are opened, none of them really."""
    found: list[int] = []

    def session(path: str, options: Any, providers: list[str]) -> object:
        found.append(options.intra_op_num_threads)
        return SimpleNamespace()

    def interpreter(path: str, num_threads: int) -> object:
        found.append(num_threads)
        return SimpleNamespace(allocate_tensors=lambda: None)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(detect, "Interpreter", interpreter)
    monkeypatch.setattr(detect, "_labels", lambda path: [])
    for module in (threads, detect):
        monkeypatch.setattr(module, "fetch", lambda slot: Path(slot))
    return found


KINDS = (Segmenter, Detector, Remover, GlobalStylizer, LocalStylizer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_opened_with_the_recipes_threads(
    kind: type, opened: list[int], numbers: None
) -> None:
    worker.limit_threads(3)
    kind().load()
    assert set(opened) == {3}
    worker.limit_threads(5)
    kind().load()
    assert set(opened) == {3, 5}


@pytest.mark.parametrize("kind", KINDS)
def test_who_names_a_number_gets_it(kind: type, opened: list[int], numbers: None) -> None:
    worker.limit_threads(3)
    kind(threads=7).load()
    assert set(opened) == {7}


def test_torch_has_one_thread_whatever_the_recipe_says(numbers: None) -> None:
    found = []

    def work() -> None:
        worker.limit_threads(4)
        found.append((threads.per_call(), cv2.getNumThreads(), torch.get_num_threads()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(4, 4, 1)]


def test_torch_is_not_imported_for_a_build_that_opens_no_network_of_it(
    numbers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []
    monkeypatch.setattr(threads, "one_for_torch", lambda: asked.append(None))
    worker.limit_threads(2)
    assert asked == [None]
    monkeypatch.delitem(sys.modules, "torch")
    worker.limit_threads(2)
    assert asked == [None]


@pytest.mark.weights
@pytest.mark.parametrize("model", [Hed, ShotDetector])
def test_a_torch_model_sets_one_thread_by_itself(model: type, numbers: None) -> None:
    torch.set_num_threads(3)
    model().load()
    assert torch.get_num_threads() == 1


@pytest.mark.weights
def test_networks_give_the_same_bytes_with_any_number() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    style = next(style for style in STYLES if style.index != FILTER)
    painted = [Painter(threads=n).paint(frame, style) for n in (1, 2, 3)]
    assert np.array_equal(painted[0], painted[1]) and np.array_equal(painted[0], painted[2])
    found = [Detector(threshold=0.01, threads=n).detect([frame]) for n in (1, 3)]
    assert found[0] == found[1]
