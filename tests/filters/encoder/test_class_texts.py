"""The class names' embeddings: made once, the same when they are read again."""

from pathlib import Path

import numpy as np
import pytest

from filters.encoder import class_texts as module
from filters.encoder.class_texts import class_names, class_texts
from filters.encoder.minilm import MiniLM


class Counting:
    """In place of the network: a row per text, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, texts: list[str]) -> np.ndarray:
        self.asked += 1
        return np.arange(len(texts) * 384, dtype=np.float32).reshape(len(texts), 384) / 7


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counting:
    monkeypatch.setattr(module, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(module, "class_names", lambda: ["tench", "goldfish"])
    return Counting()


def test_they_are_embedded_once_and_read_as_they_were(text: Counting, tmp_path: Path) -> None:
    made = class_texts(text)  # type: ignore[arg-type]
    (kept,) = (tmp_path / "models").iterdir()  # and no unfinished file
    again = class_texts(text)  # type: ignore[arg-type]
    assert text.asked == 1
    assert again.dtype == np.float32 and np.array_equal(again, made)
    kept.write_bytes(kept.read_bytes()[:300])  # the machine went down while it was written
    assert np.array_equal(class_texts(text), made)  # type: ignore[arg-type]
    assert text.asked == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(text: Counting, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the folder's place")
    for asked in (1, 2):
        assert class_texts(text).shape == (2, 384)  # type: ignore[arg-type]
        assert text.asked == asked


@pytest.mark.weights
def test_what_is_kept_is_what_the_network_says(encoder) -> None:
    network: MiniLM = encoder._text
    names = class_names()
    assert len(names) == 1000 and encoder.class_names == names
    few = [names[k] for k in (0, 1, 500, 999)]
    assert np.allclose(encoder.class_texts()[[0, 1, 500, 999]], network.embed(few), atol=1e-5)
