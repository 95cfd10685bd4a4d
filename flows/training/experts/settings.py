"""A training's YAML file: the recipe of `experts.diffusion.training`, and what the flow adds."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from catalog.errors import EditmillError
from catalog.validated import Part, mapping, validated
from experts.diffusion.sampling.caching import Cache, check
from experts.diffusion.sampling.schedule import Solver
from experts.diffusion.specs import TRAINABLE
from experts.diffusion.training.recipe import Share, TrainingRecipe


class Data(Part):
    """Which of the catalog's records are learnt from; figures ours unless marked."""

    held_out: Share = 0.1  # of the sources; at least one
    clips: int | None = Field(default=None, ge=2)  # or pairs or records, at most; None takes all
    min_score: Share = 0.5  # of a clip's tracks; the detector's
    min_area: Share = 0.004  # of the frame, as a build's
    max_area: Share = 0.35


class Judging(Part):
    """How a version is compared with the one that serves, on sources neither has seen; ours."""

    examples: int = Field(default=64, ge=1)  # at most
    levels: int = Field(default=8, ge=1)  # noise levels, evenly over the schedule
    sampled: int = Field(default=8, ge=0)  # examples that are painted, too
    steps: int = Field(default=20, ge=1)  # of that sampling
    min_gain: Share = 0.0  # share by which the loss must be lower
    max_psnr_drop: float = Field(default=0.5, ge=0)  # dB a lower loss may cost


class Serve(Part):
    """How the version is asked in builds."""

    steps: int = Field(default=30, ge=1)  # Señorita-2M's released editor
    solver: Solver = "ddim"  # the same
    tiling: bool = False  # of the autoencoder: less memory, faint seams
    cache: Cache = "none"  # faster, another result; experts/diffusion/sampling/caching.py
    compile: bool = False  # the blocks, on a GPU: a slow first edit, and sums rounded otherwise

    @model_validator(mode="after")
    def _suited(self) -> Serve:
        try:
            check(self.cache, self.solver)
        except EditmillError as error:
            raise ValueError(str(error)) from None
        return self


class Settings(Part):
    """All but the recipe itself."""

    base: Path | None = None  # folder of the base checkpoint; else the environment names it
    start: Literal["base", "latest"] = "base"  # what training begins with
    data: Data = Data()
    judge: Judging = Judging()
    serve: Serve = Serve()


@dataclass(frozen=True, slots=True)
class Config:
    """A whole file."""

    recipe: TrainingRecipe
    settings: Settings

    def decisions(self) -> dict[str, Any]:
        """All that can change the weights or how they serve; where the base lies does not."""
        return {
            "recipe": self.recipe.model_dump(
                mode="json", exclude={"save_every", "keep", "workers"}
            ),
            **self.settings.model_dump(mode="json", exclude={"base"}),
        }


def load(name: str, path: Path | None = None) -> Config:
    """The expert's shipped recipe, or the one in a YAML file.

    Raises EditmillError, in one line that names the file, the key and what it should be.
    """
    if name not in TRAINABLE:
        raise EditmillError(f"expert {name!r} is not known; use one of: {', '.join(TRAINABLE)}")
    shipped = files("experts.diffusion.training") / "recipes" / f"{name}.yaml"
    where = str(path or f"{name}.yaml")
    try:
        text = (path or shipped).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EditmillError(f"{where}: can't be read ({error}); check the path") from None
    values = mapping(text, where, "a training recipe is a mapping of keys, `stages` first")
    ours = {key: values.pop(key) for key in Settings.model_fields if key in values}
    recipe = validated(TrainingRecipe, {"expert": name} | values, where)
    if recipe.expert != name:
        raise EditmillError(
            f"{where}: is for the {recipe.expert}, not for the {name}; name its own"
        )
    for k, stage in enumerate(recipe.stages):
        if stage.frames % 8 != 1:
            raise EditmillError(
                f"{where}: `stages.{k}.frames`: {stage.frames}; CogVideoX's autoencoder gives back "
                "8 n + 1 frames only: use 33, or 9, 17, 25, 49 …"
            )
    return Config(recipe, validated(Settings, ours, where))
