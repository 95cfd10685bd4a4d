"""What every captioner promises: see `experts.annotate.captions.description.Captioner`."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import BadInput
from experts.annotate.captions.blip2 import Blip2Captions
from experts.annotate.captions.description import Captioner, Description
from experts.annotate.captions.labels import LabelCaptions
from experts.annotate.captions.vlm import VlmCaptions
from experts.annotate.captions.wording import SHORT_WORDS
from experts.providers import providers
from tests.checkpoints import blip2, qwen3_vl
from tests.experts.model_lifecycle import check_bad_checkpoint, check_lifecycle

Make = Callable[[], Captioner]

MADE = {
    "labels": lambda **_: LabelCaptions(),
    "blip2": lambda blip2, qwen: Blip2Captions(checkpoint=blip2, batch=2),
    "vlm": lambda blip2, qwen: VlmCaptions(checkpoint=qwen, frames=2, max_pixels=32 * 32, rounds=1),
    "vlm, short by blip2": lambda blip2, qwen: VlmCaptions(
        checkpoint=qwen, short_by="blip2", short_checkpoint=blip2, frames=2, rounds=1
    ),
}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    pytest.importorskip("transformers")
    pytest.importorskip("xgrammar")
    folder = tmp_path_factory.mktemp("captioners")
    return {
        "blip2": str(blip2.make(folder / "blip2")),
        "qwen": str(qwen3_vl.make(folder / "qwen")),
    }


@pytest.fixture(params=MADE)
def make(request: pytest.FixtureRequest, checkpoints: dict[str, str]) -> Make:
    return functools.partial(MADE[request.param], **checkpoints)


@pytest.fixture(scope="session")
def clips() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = ((5, 40, 64), (1, 48, 48), (9, 64, 36))
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


@pytest.fixture(autouse=True)
def _short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experts.annotate.captions.vlm.MAX_TOKENS", 24)


def told(described: list[Description | BadInput]) -> list[object]:
    return [str(each) if isinstance(each, BadInput) else each for each in described]


def test_every_provider_of_the_registry_is_here() -> None:
    assert {name.partition(",")[0] for name in MADE} == set(providers("captions"))


def test_it_lives_as_models_do(make: Make, clips: list[np.ndarray]) -> None:
    check_lifecycle(make, lambda captioner: told(captioner.describe(clips[:1])))


def test_each_clip_is_described_or_has_a_reason(make: Make, clips: list[np.ndarray]) -> None:
    before = [clip.copy() for clip in clips]
    captioner = make()
    assert isinstance(captioner, Captioner)
    described = captioner.describe(clips)
    assert len(described) == len(clips)
    for each in described:
        if isinstance(each, BadInput):
            assert each.reason == "no_caption" and "\n" not in str(each)
            continue
        for text in (each.short, each.detailed, *each.phrases):
            assert text == " ".join(text.split())
        assert len(each.short.split()) <= SHORT_WORDS
        assert all(each.phrases)
    for clip, kept in zip(clips, before, strict=True):
        assert (clip == kept).all()
    assert told(captioner.describe(clips)) == told(described)
    assert captioner.describe([]) == []


def test_a_batch_is_its_clips(make: Make, clips: list[np.ndarray]) -> None:
    captioner = make()
    alone = [captioner.describe([clip])[0] for clip in clips]
    assert told(captioner.describe(clips)) == told(alone)


@pytest.mark.parametrize(("kind", "name"), [(Blip2Captions, "blip2"), (VlmCaptions, "qwen")])
def test_a_checkpoint_that_cannot_be_had_is_one_line(
    kind: type, name: str, checkpoints: dict[str, str], tmp_path: Path
) -> None:
    check_bad_checkpoint(kind, Path(checkpoints[name]), tmp_path / "bad")
