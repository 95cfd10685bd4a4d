"""Pairs judged by a model that was trained on people's grades of edited videos (VEFX-Reward).

The layout is that of VEFX-Bench's public inference code (arXiv 2604.16272, Sec. 4): a Qwen3-VL
checkpoint with one more tensor, `rm_head.weight`. The prompt ends each dimension's rubric with a
token of its own (`<|IF_reward|>`, `<|RQ_reward|>`, `<|EE_reward|>`); the head turns the last hidden
state at that token into logits of the conditional probabilities P(y > k | y ≥ k), k = 1 … K−1
(ordinal regression, CORN), from which the expected grade follows.

Such a model reads only the prompt that it was trained with, and that text is its authors'. So it
comes from the user: `prompt` names a text file, for VEFX-Reward the template in its repository's
`vefx_reward/prompt_template.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from catalog.errors import EditmillError
from catalog.keys import digest
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO, HubModel
from experts.providers.pretrained import pretrained
from experts.write.chat.vision.shown import shown
from filters.base import NOT_MEASURED, Frames, PairFrames
from filters.vlm.judgement import HIGHEST, LOWEST, Judgement
from filters.vlm.prompts import FAMILIES
from filters.vlm.rules import FRAMES, MAX_PIXELS

DIMENSIONS = {
    "<|IF_reward|>": "instruction",
    "<|RQ_reward|>": "render",
    "<|EE_reward|>": "preservation",
}
"""What is graded at which token: instruction following, render quality, edit exclusivity."""

TOKENS = ("<|VQ_reward|>", "<|MQ_reward|>", "<|TA_reward|>", *DIMENSIONS)
"""In the order in which they were added to the tokenizer (VEFX-Bench, vefx_reward/inference.py),
where a checkpoint's tokenizer was saved without them."""

FPS = 4.0
"""Frames per second at which it was trained to look."""

GAPS = ("{instruction}", "{text_prompt}")
"""What a prompt may call the place of the instruction; VEFX-Reward's has the second."""

SETTINGS = "vefx_config.json"
DEFAULTS = {"num_classes": 4, "use_ordinal": True, "reward_token": "special"}
"""What holds where a checkpoint has no file of settings (VEFX-Bench, vefx_reward/inference.py)."""


class RewardModel(HubModel):
    """Grades instruction following, preservation and render quality; a grade of 1–K is brought to
    1–5. Render quality is that of the target, and so not measured where the source was made; motion
    and order are not judged.

    `prompt` is the file of the prompt that the checkpoint was trained with. `frames` are shown of
    each side, as of a video of `fps`, each of at most `max_pixels`.
    """

    slot = "judge"
    provider_name = "reward_model"

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        prompt: str = "",
        frames: PositiveInt = FRAMES,
        max_pixels: PositiveInt = MAX_PIXELS,
        fps: PositiveFloat = FPS,
    ) -> None:
        super().__init__(checkpoint=checkpoint, device=device, dtype=dtype)
        self._prompt = prompt
        self._frames = frames
        self._max_pixels = max_pixels
        self._fps = fps

    @property
    def version(self) -> str:
        """Also of the prompt, and of what is shown."""
        asked = digest(self._template(), (self._frames, self._max_pixels, self._fps))
        return f"{super().version}+{asked[:8]}"

    def judgements(self, samples: Sequence[PairFrames]) -> list[Judgement]:
        """One per sample, in order; `not_measured` for tasks that are measured by construction
        and pairs without an instruction. Raises EditmillError where the model cannot be had."""
        self.load()
        return [self._judgement(sample) for sample in samples]

    def prefer(self, candidates: Sequence[tuple[PairFrames, PairFrames]]) -> list[int]:
        """By the sum of the grades: −1 the first, 1 the second, 0 where they are equal."""
        self.load()
        totals = [
            [sum(self._judgement(sample).scores.values()) for sample in two] for two in candidates
        ]
        return [int(np.sign(second - first)) for first, second in totals]

    def _judgement(self, sample: PairFrames) -> Judgement:
        if sample.task not in FAMILIES or not sample.instruction:
            return Judgement(reason=NOT_MEASURED)
        grades = self._grades(sample.source, sample.target, sample.instruction)
        if sample.made == "source":
            del grades["render"]
        return Judgement(grades)

    def _grades(self, source: Frames, target: Frames, instruction: str) -> dict[str, float]:
        """By dimension, 1–5."""
        import torch

        models = self._models
        # An instruction cannot pass for a token of the model's.
        said = instruction.replace("<|", "< |")
        text = self._template()
        for gap in GAPS:
            text = text.replace(gap, said)
        inputs = self._inputs(text, (source, target))
        with torch.inference_mode():
            hidden = models["backbone"](**inputs).last_hidden_state[0]
            ids = inputs["input_ids"][0]
            places = [int((ids == models["tokens"][token]).nonzero()) for token in DIMENSIONS]
            logits = (hidden[places].float() @ models["head"].T).cpu().numpy()
        if models["ordinal"]:
            means = expected_grades(logits)
        else:  # regression: one output for all tokens, or one for each
            means = logits[:, 0] if logits.shape[1] == 1 else logits.diagonal()
        scale = (HIGHEST - LOWEST) / (models["classes"] - 1)
        grades = np.clip(LOWEST + (means - 1) * scale, LOWEST, HIGHEST)
        return dict(zip(DIMENSIONS.values(), map(float, grades), strict=True))

    def _inputs(self, text: str, videos: Sequence[Frames]) -> Any:
        import torch

        pictures = [shown(video, self._frames, self._max_pixels) for video in videos]
        processor = self._models["processor"]
        content = [*({"type": "video"} for _ in pictures), {"type": "text", "text": text}]
        inputs = processor(
            text=processor.apply_chat_template(
                [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
            ),
            videos=[torch.from_numpy(video).permute(0, 3, 1, 2) for video in pictures],
            video_metadata=[
                {"total_num_frames": len(v), "fps": self._fps, "frames_indices": [*range(len(v))]}
                for v in pictures
            ],
            do_sample_frames=False,
            cap_pixels_per_frame=True,  # as the code that it was trained with does
            return_tensors="pt",
        )
        inputs = inputs.to(self.device)
        inputs["pixel_values_videos"] = inputs["pixel_values_videos"].to(self.dtype)
        return inputs

    def _template(self) -> str:
        """The prompt. Raises EditmillError, one line, where it is none."""
        option = f"`prompt` of `models.{self.slot}`"
        if not self._prompt:
            raise EditmillError(
                f"{self.name}: it only understands the prompt that it was trained with; set "
                f"{option} to a text file of it (for VEFX-Reward, what is in its repository's "
                "vefx_reward/prompt_template.py)"
            )
        try:
            text = Path(self._prompt).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EditmillError(
                f"{self._prompt}: cannot be read ({error}); check {option}"
            ) from None
        wrong = [token for token in DIMENSIONS if text.count(token) != 1]
        if not any(gap in text for gap in GAPS):
            wrong.append(GAPS[0])
        if wrong:
            raise EditmillError(
                f"{self._prompt}: is no reward model's prompt ({', '.join(wrong)} must be there "
                f"once); check {option}"
            )
        return text

    def _open(self, folder: Path) -> dict[str, Any]:
        import torch
        import transformers

        self._template()
        settings = _settings(folder)
        processor = transformers.AutoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        tokenizer = processor.tokenizer
        known = tokenizer.get_vocab()
        tokenizer.add_tokens([t for t in TOKENS if t not in known], special_tokens=True)
        backbone = pretrained(transformers.AutoModel, folder, dtype=self.dtype)
        tokens = {token: tokenizer.convert_tokens_to_ids(token) for token in DIMENSIONS}
        rows, width = backbone.get_input_embeddings().weight.shape
        if max(tokens.values()) >= rows:
            raise ValueError("it has no embeddings for its reward tokens")
        head = _head(folder).to(self.device, torch.float32)
        ordinal, classes = settings["use_ordinal"], settings["num_classes"]
        outputs = (classes - 1,) if ordinal else (1, len(DIMENSIONS))
        if head.shape not in {(count, width) for count in outputs}:
            raise ValueError(f"its rm_head.weight {tuple(head.shape)} does not fit its settings")
        return {
            "processor": processor,
            "backbone": backbone.to(self.device).eval(),
            "head": head,
            "tokens": tokens,
            "ordinal": ordinal,
            "classes": classes,
        }


def expected_grades(logits: NDArray[np.float32]) -> NDArray[np.floating]:
    """The mean grades, 1…K, of ordinal logits [D, K−1] of P(y > k | y ≥ k)."""
    conditional = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
    above: NDArray[np.floating] = np.cumprod(conditional, axis=-1)  # P(y > k)
    return 1.0 + above.sum(axis=-1)


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    given = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    settings = {**DEFAULTS, **given}
    if settings["reward_token"] != "special":
        raise ValueError(f"its {SETTINGS} pools {settings['reward_token']!r}, not its own tokens")
    if not isinstance(settings["num_classes"], int) or settings["num_classes"] < 2:
        raise ValueError(f"its {SETTINGS} has no number of classes from 2 on")
    return settings


def _head(folder: Path) -> Any:
    """`rm_head.weight`, from whichever file of the checkpoint has it."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as tensors:
            if "rm_head.weight" in tensors.keys():  # noqa: SIM118 - it is no mapping
                return tensors.get_tensor("rm_head.weight")
    raise ValueError("it has no rm_head.weight")
