"""The settings of a training loop, from a YAML file; the shipped ones hold the papers' values."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from catalog.errors import EditmillError
from catalog.validated import Part, mapping, validated
from experts.diffusion.latents import Size, check_size
from experts.diffusion.specs import EDITORS, EXPERTS, TRAINABLE, ExpertSpec

MASKS = ("exact", "expand", "box", "random")
"""The inpainter's four mask kinds. The paper says four, "including random and precise shapes",
grown from an object's mask; which they are is our reading: the object's own, the same grown, its
box, and the grown mask of an object from another clip."""

NOT_IN_WEIGHTS = frozenset({"checkpoint_every", "keep_checkpoints", "dataloader_workers"})
"""Settings of a recipe that do not change the trained weights."""

Share = Annotated[float, Field(ge=0, le=1)]


class Stage(Part):
    """A resolution and the training at it. Portrait clips are trained with sides swapped."""

    height: int = Field(default=336, ge=16)
    width: int = Field(default=592, ge=16)
    frames: int = Field(default=33, ge=1)
    steps: int = Field(default=0, ge=0)  # optimizer steps; the paper gives the experts' none
    epochs: int = Field(default=0, ge=0)  # or so many passes over the stage's examples
    batch_size: int = Field(default=16, ge=1)  # over all devices (Appendix B.3 to B.5)
    per_device_batch_size: int = Field(default=1, ge=1)  # the rest is gradient accumulation
    learning_rate: float = Field(default=1e-5, gt=0)  # Appendix B.3 to B.5
    lr_warmup_steps: int = Field(default=100, ge=0)  # of linear warm-up; our choice

    @model_validator(mode="after")
    def _length(self) -> Stage:
        if bool(self.steps) == bool(self.epochs):
            raise ValueError("give either steps or epochs, above 0")
        return self

    @model_validator(mode="after")
    def _size(self) -> Stage:
        try:
            check_size(self.frames, self.height, self.width)
        except EditmillError as error:
            raise ValueError(str(error)) from None
        return self

    def size_for(self, height: int, width: int) -> Size:
        """The stage's size, its sides swapped where a clip of `height` × `width` px is portrait."""
        if (height > width) != (self.height > self.width):
            return self.frames, self.width, self.height
        return self.frames, self.height, self.width

    def micro_batches(self, devices: int) -> int:
        """Forward passes per device and step; EditmillError if the batch can't be split so."""
        count, rest = divmod(self.batch_size, self.per_device_batch_size * devices)
        if rest or not count:
            raise EditmillError(
                f"batch_size {self.batch_size} is no multiple of per_device_batch_size "
                f"{self.per_device_batch_size} × {devices} devices; change one of them"
            )
        return count


class ExampleSampling(Part):
    """How training examples are sampled from a clip: temporal windows, masks and prompts."""

    per_clip: int = Field(default=4, ge=1)  # examples of a clip and stage; our choice
    stride: int = Field(default=2, ge=1)  # temporal, in frames (Appendix B.4, B.5)
    unrelated_masks: Share = 0.9  # of the remover's; the rest is exact (Appendix B.5)
    mask_kinds: dict[Literal[MASKS], Annotated[float, Field(ge=0)]] = Field(  # type: ignore[valid-type]
        default=dict.fromkeys(MASKS, 1.0)
    )
    mask_growth: tuple[Share, Share] = (0.04, 0.2)  # of the object's mean side; our choice
    keyframe: Share = 0.5  # of local-edit videos: first frame unmasked (VIVID-10M, Sec. 4.4)

    @field_validator("mask_kinds")
    @classmethod
    def _any(cls, weights: dict[str, float]) -> dict[str, float]:
        if not any(weights.values()):
            raise ValueError("at least one kind needs a weight above 0")
        return weights


class Mix(Part):
    """Proportions in batches of local-editing records; 0 leaves a kind out."""

    images_per_video: float = Field(default=10, ge=0)  # batches of images alone (Sec. 4.4)
    edits_per_deletion: float = Field(default=3, ge=0)  # additions and modifications (Sec. 4.4)


class Fsdp(Part):
    """Sharding over GPUs: arguments of accelerate's FullyShardedDataParallelPlugin."""

    strategy: Literal["FULL_SHARD", "SHARD_GRAD_OP"] = "FULL_SHARD"
    cpu_offload: bool = False


class TrainingRecipe(Part):
    """All settings of the training loop; `mix` is for the editor trained on local edits."""

    expert: str
    seed: int = 0
    stages: tuple[Stage, ...] = Field(min_length=1)
    examples: ExampleSampling = ExampleSampling()
    mix: Mix | None = None  # None: an epoch takes every example once
    prompt_dropout: Share = 0.1  # share of empty prompts, for guidance (Appendix B.2)
    weight_decay: float = Field(default=1e-4, ge=0)  # Appendix B.3, B.5
    betas: tuple[Share, Share] = (0.9, 0.95)  # CogVideoX's fine-tuning scripts
    max_grad_norm: float = Field(default=1.0, gt=0)  # the same
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)  # our choice
    precision: Literal["bf16", "fp32"] = "bf16"
    gradient_checkpointing: bool = True
    compile: bool = False  # of the blocks: 1.4 times the steps a second (docs/train.md)
    checkpoint_every: int = Field(default=500, ge=1)  # steps between two checkpoints
    keep_checkpoints: int = Field(default=2, ge=1)  # the newest ones
    dataloader_workers: int = Field(default=2, ge=0)  # processes
    fsdp: Fsdp | None = None

    @field_validator("expert")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in TRAINABLE:
            raise ValueError(f"no expert is called {name!r}; there are: {', '.join(TRAINABLE)}")
        return name

    @model_validator(mode="after")
    def _mixable(self) -> TrainingRecipe:
        if self.mix is not None and self.spec.learns_from != "local_edits":
            raise ValueError(
                f"mix is for local-editing records, the {self.expert} learns from "
                f"{self.spec.learns_from}; remove it"
            )
        return self

    @property
    def spec(self) -> ExpertSpec:
        """The expert that is trained."""
        return TRAINABLE[self.expert]

    def in_weights(self) -> dict[str, Any]:
        """The settings that change the trained weights. `compile` is among them where it is set: a
        training that began before there was this setting goes on."""
        left_out = NOT_IN_WEIGHTS if self.compile else NOT_IN_WEIGHTS | {"compile"}
        return self.model_dump(mode="json", exclude=set(left_out))

    @property
    def steps(self) -> int:
        """Optimizer steps of all stages; `examples.with_steps` turns epochs into steps."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[int, int]:
        """The stage of a step, counted from 0, and the step's number within it."""
        for k, stage in enumerate(self.stages):
            if step < stage.steps:
                return k, step
            step -= stage.steps
        raise IndexError(step)


def load(name_or_path: str) -> TrainingRecipe:
    """The recipe of an expert's name, or of a YAML file.

    Raises EditmillError, in one line that names the file, the key and what it should be.
    """
    path = Path(name_or_path)
    entry = files("experts.diffusion.training") / "recipes" / f"{name_or_path}.yaml"
    try:
        shipped = name_or_path in TRAINABLE and not path.is_file()
        text = (entry if shipped else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join([*sorted(EXPERTS), *sorted(EDITORS)])
        raise EditmillError(
            f"{name_or_path}: can't be read ({error}); give a YAML file or one of: {known}"
        ) from None
    return parse(text, where=name_or_path)


def parse(text: str, where: str) -> TrainingRecipe:
    """A recipe from YAML text; `where` names it in errors."""
    shape = "a training recipe is a mapping of keys, `expert` first"
    return validated(TrainingRecipe, mapping(text, where, shape), where)
