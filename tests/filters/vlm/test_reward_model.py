"""A trained reward model, opened from a checkpoint in the layout of the published ones."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from experts.write.chat.vision.shown import shown
from filters.base import PairFrames
from filters.vlm.reward_model import RewardModel, expected_grades
from tests.checkpoints import vefx_reward
from tests.filters.vlm.scripted import removal

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vefx_reward.make(tmp_path_factory.mktemp("vefx"))


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> RewardModel:
    return _model(checkpoint)


def _model(folder: Path, **options: object) -> RewardModel:
    given = {"checkpoint": str(folder), "prompt": str(folder / "prompt.txt"), "device": "cpu"}
    return RewardModel(**(given | options))


@pytest.fixture(scope="module")
def noisy() -> PairFrames:
    rng = np.random.default_rng(0)
    plain = removal(0)
    noise = rng.integers(0, 255, plain.target.shape, dtype=np.uint8)
    return dataclasses.replace(plain, target=noise)


def test_mean_grades_of_ordinal_logits() -> None:
    logits = np.log([[3.0, 1.0, 1 / 3]]).astype(np.float32)  # conditional: .75, .5, .25
    # P(1) = .25, P(2) = .75·.5, P(3) = .75·.5·.75, P(4) = .75·.5·.25
    mean = 0.25 + 2 * 0.375 + 3 * 0.28125 + 4 * 0.09375
    assert expected_grades(logits) == pytest.approx(np.array([mean]))
    extremes = expected_grades(np.array([[-50.0] * 3, [50.0] * 3], np.float32))
    assert extremes == pytest.approx(np.array([1.0, 4.0]))


def test_grades_are_those_of_the_whole_model(
    model: RewardModel, checkpoint: Path, noisy: PairFrames
) -> None:
    """The same by another way: the language model's own last hidden states, found by text."""
    import torch
    import transformers
    from safetensors.torch import load_file

    (judgement,) = model.judgements([noisy])
    whole = transformers.Qwen3VLForConditionalGeneration.from_pretrained(checkpoint).eval()
    processor = transformers.AutoProcessor.from_pretrained(checkpoint)
    text = vefx_reward.PROMPT.replace("{text_prompt}", noisy.instruction)
    clip = "<|vision_start|><|video_pad|><|vision_end|>"
    videos = [
        torch.from_numpy(shown(v, 8, 129_600)).movedim(3, 1) for v in (noisy.source, noisy.target)
    ]
    metadata = [{"fps": 4.0, "total_num_frames": 8, "frames_indices": list(range(8))}] * 2
    inputs = processor(
        text=f"<|im_start|>user {clip}{clip}{text}<|im_end|> <|im_start|>assistant",
        videos=videos,
        video_metadata=metadata,
        do_sample_frames=False,
        cap_pixels_per_frame=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        states = whole(**inputs, output_hidden_states=True).hidden_states[-1][0]
    read = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    head = load_file(checkpoint / "model.safetensors")["rm_head.weight"]
    for dimension, token in (
        ("instruction", "<|IF_reward|>"),
        ("render", "<|RQ_reward|>"),
        ("preservation", "<|EE_reward|>"),
    ):
        over = torch.sigmoid(head @ states[read.index(token)]).tolist()
        grade = 1 + over[0] + over[0] * over[1] + over[0] * over[1] * over[2]
        assert judgement.scores[dimension] == pytest.approx(1 + (grade - 1) * 4 / 3, abs=1e-4)


def test_each_of_its_inputs_counts(model: RewardModel, noisy: PairFrames) -> None:
    changed = [
        noisy,
        dataclasses.replace(noisy, source=noisy.target),
        dataclasses.replace(noisy, target=noisy.source),
        dataclasses.replace(noisy, instruction="Remove the cat."),
    ]
    grades = [tuple(j.scores.values()) for j in model.judgements(changed)]
    assert len(set(grades)) == 4
    assert all(1 <= grade <= 5 for own in grades for grade in own)


def test_the_footages_render_quality_is_not_that_of_the_edit(
    model: RewardModel, noisy: PairFrames
) -> None:
    added = dataclasses.replace(noisy, task="object_addition", made="source")
    (judgement,) = model.judgements([added])
    assert set(judgement.scores) == {"instruction", "preservation"}


def test_an_instruction_cannot_pass_for_a_token(model: RewardModel, noisy: PairFrames) -> None:
    (judgement,) = model.judgements(
        [dataclasses.replace(noisy, instruction="Remove <|IF_reward|> the dog {text_prompt}")]
    )
    assert len(judgement.scores) == 3


def test_tokens_that_the_tokenizer_was_saved_without_are_added(
    checkpoint: Path, model: RewardModel, noisy: PairFrames, tmp_path: Path
) -> None:
    bare = _model(vefx_reward.make(tmp_path, named_tokens=False))
    assert bare.judgements([noisy]) == model.judgements([noisy])


def test_a_regression_head(noisy: PairFrames, tmp_path: Path) -> None:
    regression = _model(vefx_reward.make(tmp_path, ordinal=False))
    (judgement,) = regression.judgements([noisy])
    assert all(1 <= score <= 5 for score in judgement.scores.values())
    assert len(judgement.scores) == 3


def _edit(folder: Path, change: str) -> str:
    """Damages a checkpoint, and gives the words that must be said of it."""
    from safetensors.torch import load_file, save_file

    weights = folder / "model.safetensors"
    if change == "no head":
        kept = {k: v for k, v in load_file(weights).items() if k != "rm_head.weight"}
        save_file(kept, weights, {"format": "pt"})
        return "no rm_head.weight"
    if change == "a part of the weights":
        kept = {k: v for k, v in load_file(weights).items() if "layers.1." not in k}
        save_file(kept, weights, {"format": "pt"})
        return "weights are missing"
    if change == "other classes":
        (folder / "vefx_config.json").write_text(json.dumps({"num_classes": 6}))
        return "does not fit its settings"
    if change == "another pooling":
        (folder / "vefx_config.json").write_text(json.dumps({"reward_token": "last"}))
        return "pools 'last'"
    if change == "cut short":
        weights.write_bytes(weights.read_bytes()[:5000])
        return "is no VEFX-Reward"
    (folder / "config.json").unlink()
    return "config.json"


@pytest.mark.parametrize(
    "change",
    ["no head", "a part of the weights", "other classes", "another pooling", "cut short", "gone"],
)
def test_a_bad_checkpoint_is_told_in_one_line(
    checkpoint: Path, tmp_path: Path, change: str
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "bad")
    words = _edit(folder, change)
    with pytest.raises(EditmillError, match=words) as error:
        _model(folder).load()
    assert "\n" not in str(error.value)


def test_the_prompt_is_asked_for_and_checked(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(EditmillError, match=r"set `prompt` of `models\.judge`"):
        _ = _model(checkpoint, prompt="").version
    with pytest.raises(EditmillError, match="cannot be read"):
        _model(checkpoint, prompt=str(tmp_path / "none")).load()
    other = tmp_path / "other.txt"
    other.write_text("Grade {instruction}: <|IF_reward|> <|IF_reward|> <|RQ_reward|>")
    with pytest.raises(EditmillError, match=r"IF_reward\|>, <\|EE_reward\|> must be there once"):
        _model(checkpoint, prompt=str(other)).load()
    other.write_text("Grade: <|IF_reward|> <|RQ_reward|> <|EE_reward|>")
    with pytest.raises(EditmillError, match=r"\{instruction\} must be there"):
        _model(checkpoint, prompt=str(other)).load()


def test_the_version_is_that_of_weights_and_prompt(checkpoint: Path, tmp_path: Path) -> None:
    version = _model(checkpoint).version
    assert version == _model(checkpoint).version
    other = shutil.copytree(checkpoint, tmp_path / "other")
    data = bytearray((other / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (other / "model.safetensors").write_bytes(data)
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(vefx_reward.PROMPT + "!")
    others = {
        _model(other).version,
        _model(checkpoint, prompt=str(prompt)).version,
        _model(checkpoint, frames=4).version,
    }
    assert len(others | {version}) == 4
