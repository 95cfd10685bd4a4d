"""Grounding DINO: phrases to prompts and back, and what a call costs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import BadInput, EditmillError
from experts.annotate.detection.grounding_dino import GroundingDino
from experts.providers.choice import choice_of
from tests.checkpoints import grounding_dino

transformers = pytest.importorskip("transformers")

FRAMES = [np.random.default_rng(k).integers(0, 256, (72, 96, 3), np.uint8) for k in range(5)]
MANY = tuple(f"{colour} {what}" for colour in ("red", "white") for what in ("car", "dog", "horse"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grounding_dino.make(tmp_path_factory.mktemp("dino"))


@pytest.fixture(scope="module")
def detector(checkpoint: Path) -> Iterator[GroundingDino]:
    detector = GroundingDino(checkpoint=str(checkpoint), batch=4)
    detector.load()
    yield detector
    detector.close()


@pytest.fixture
def calls(detector: GroundingDino) -> Iterator[list[tuple[int, ...]]]:
    """The shapes of the pixels in each forward of the model."""
    seen: list[tuple[int, ...]] = []
    hook = detector._models.model.register_forward_pre_hook(
        lambda module, args, given: seen.append(tuple(given["pixel_values"].shape)),
        with_kwargs=True,
    )
    yield seen
    hook.remove()


def test_labels_are_the_phrases_as_given(detector: GroundingDino) -> None:
    found = detector.detect(FRAMES, ("Red Car", "St. Bernard dog", "person"))
    labels = {one.label for each in found for one in each}
    assert labels <= {"Red Car", "St. Bernard dog", "person"} and len(labels) > 1


def test_without_phrases_the_vocabulary_is_looked_for(detector: GroundingDino) -> None:
    labels = {one.label for each in detector.detect(FRAMES[:1], ("", " . ")) for one in each}
    assert labels and labels <= set(detector._vocabulary)


def test_a_batch_of_frames_is_one_forward(
    detector: GroundingDino, calls: list[tuple[int, ...]]
) -> None:
    detector.detect(FRAMES, ("car", "dog"))
    assert [shape[0] for shape in calls] == [4, 1]


def test_a_frame_is_prepared_once_for_all_prompts(
    detector: GroundingDino, calls: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, prepared = type(detector._models.processor.image_processor), []
    real = kind.preprocess

    def counting(self: Any, images: Any, *args: Any, **given: Any) -> Any:
        prepared.append(len(images))
        return real(self, images, *args, **given)

    monkeypatch.setattr(kind, "preprocess", counting)
    assert len(detector._prompts(MANY)) == 1
    many = tuple(f"{phrase} {k}" for k in range(3) for phrase in MANY)
    prompts = detector._prompts(many)
    assert len(prompts) > 1
    detector.detect(FRAMES[:4], many)
    assert prepared == [4]
    assert len(calls) == len(prompts)


def test_every_phrase_is_in_one_prompt_within_the_models_limit(detector: GroundingDino) -> None:
    many = tuple(f"{phrase} number {k}" for k in range(9) for phrase in MANY)
    prompts = detector._prompts(many)
    assert tuple(phrase for prompt in prompts for phrase in prompt.phrases) == many
    for prompt in prompts:
        ids = prompt.tokens["input_ids"][0]
        assert len(ids) <= grounding_dino.TOKENS
        # Each token is a phrase's, or a full stop or an end of the text, which are nobody's
        owners = prompt.members.sum(0).tolist()
        stops = [int(token) in (101, 102, 1012) for token in ids]
        assert owners == [0 if stop else 1 for stop in stops]
        text = detector._models.processor.tokenizer
        for phrase, members in zip(prompt.phrases, prompt.members, strict=True):
            assert text.decode(ids[members]) == phrase


def test_a_box_has_the_phrase_whose_token_fits_best(detector: GroundingDino) -> None:
    import torch

    (prompt,) = detector._prompts(("red car", "dog"))
    # [CLS] red car . dog . [SEP]
    assert prompt.members.int().tolist() == [[0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0]]
    scores = torch.zeros(5, grounding_dino.TOKENS)
    scores[0, [2, 4]] = torch.tensor([0.9, 0.5])  # a token of "red car"
    scores[1, [1, 4]] = torch.tensor([0.3, 0.6])  # "dog"
    scores[2, 4] = 0.34  # below the threshold of boxes
    scores[3, [3, 4]] = torch.tensor([0.8, 0.2])  # a full stop, and no phrase that fits
    scores[4, [3, 4]] = torch.tensor([0.8, 0.3])
    boxes = np.array([[0.5, 0.5, 0.5, 0.25]] * 4 + [[0.95, 0.5, 0.2, 2.0]], np.float32)
    found = detector._read(scores, boxes, prompt, (40, 80))
    assert [(one.label, round(one.score, 3)) for one in found] == [
        ("red car", 0.9),
        ("dog", 0.6),
        ("dog", 0.8),
    ]
    assert found[0].box == pytest.approx((20, 15, 60, 25))
    assert found[2].box == pytest.approx((68, 0, 80, 40))


def test_of_one_label_a_second_box_round_the_same_object_is_dropped(checkpoint: Path) -> None:
    everything = GroundingDino(checkpoint=str(checkpoint), threshold=0.0, text_threshold=0.0)
    (found,) = everything.detect(FRAMES[:1], ("car",))
    from experts.annotate.detection.detect import SAME_OBJECT_IOU, iou

    pairs = [(a.box, b.box) for i, a in enumerate(found) for b in found[:i]]
    assert pairs and all(iou(a, b) <= SAME_OBJECT_IOU for a, b in pairs)


def test_half_precision_finds_much_the_same(checkpoint: Path, detector: GroundingDino) -> None:
    half = GroundingDino(checkpoint=str(checkpoint), dtype="bfloat16").detect(FRAMES[:1], MANY)
    (best,), (best_half,) = (found[0][:1] for found in (detector.detect(FRAMES[:1], MANY), half))
    assert np.abs(np.subtract(best.box, best_half.box)).max() < 2
    assert best.score == pytest.approx(best_half.score, abs=0.02)


def test_what_cannot_be_looked_for_is_one_line(checkpoint: Path, detector: GroundingDino) -> None:
    with pytest.raises(EditmillError, match="nothing to look for; give `vocabulary`"):
        GroundingDino(checkpoint=str(checkpoint), vocabulary=()).detect(FRAMES[:1])
    with pytest.raises(BadInput, match="reads 48 tokens") as raised:
        detector.detect(FRAMES[:1], ("red " * 60,))
    assert raised.value.reason == "phrase_too_long"


def test_options_are_part_of_the_version(checkpoint: Path) -> None:
    options: list[dict[str, Any]] = [{}, {"threshold": 0.3}, {"vocabulary": ("car",)}]
    assert len({GroundingDino(checkpoint=str(checkpoint), **o).version for o in options}) == 3
    assert len({GroundingDino(checkpoint=str(checkpoint), batch=b).version for b in (1, 2)}) == 1


def test_a_recipe_may_set_them() -> None:
    given = {"provider": "grounding_dino", "threshold": 0.3, "vocabulary": ["car", "dog"]}
    assert choice_of("detect", given).options["vocabulary"] == ("car", "dog")
