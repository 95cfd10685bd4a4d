"""BLIP-2: which frame is captioned, and what a call costs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from experts.annotate.captions.blip2 import Blip2Captions
from experts.providers.choice import choice_of
from tests.checkpoints import blip2

pytest.importorskip("transformers")

RNG = np.random.default_rng(1)
CLIPS = [RNG.integers(0, 256, (4, 40, 60, 3), np.uint8) for _ in range(5)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return blip2.make(tmp_path_factory.mktemp("blip2"))


@pytest.fixture(scope="module")
def captioner(checkpoint: Path) -> Iterator[Blip2Captions]:
    captioner = Blip2Captions(checkpoint=str(checkpoint), batch=4)
    captioner.load()
    yield captioner
    captioner.close()


def test_only_the_middle_frame_counts(captioner: Blip2Captions) -> None:
    clip = CLIPS[0]
    others = np.zeros_like(clip)
    others[2] = clip[2]
    black = np.zeros_like(clip)
    (told,), (same,), (other,) = (captioner.describe([each]) for each in (clip, others, black))
    assert told == same != other


def test_a_batch_of_clips_is_seen_in_one_forward(captioner: Blip2Captions) -> None:
    seen: list[int] = []
    hook = captioner._models.model.vision_model.register_forward_pre_hook(
        lambda module, args: seen.append(len(args[0]))
    )
    captioner.describe(CLIPS)
    hook.remove()
    assert seen == [4, 1]


def test_a_caption_has_as_many_tokens_as_asked(checkpoint: Path) -> None:
    few = Blip2Captions(checkpoint=str(checkpoint), beams=1, min_tokens=2, max_tokens=2)
    (short,) = few.describe(CLIPS[:1])
    (long,) = Blip2Captions(checkpoint=str(checkpoint), beams=1).describe(CLIPS[:1])
    assert 0 < len(short.short) < len(long.short)
    assert few.version != Blip2Captions(checkpoint=str(checkpoint)).version


def test_lengths_that_exclude_each_other_are_refused_with_the_recipe() -> None:
    with pytest.raises(EditmillError, match="lower `min_tokens` or raise `max_tokens`"):
        Blip2Captions(min_tokens=31)
    with pytest.raises(ValueError, match="at least 8 and at most 4"):
        choice_of("captions", {"provider": "blip2", "max_tokens": 4})
