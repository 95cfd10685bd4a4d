"""What to build, in one validated file.

Every constant has the paper's value as its default, so that a recipe only says what differs.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from catalog.errors import EditmillError
from catalog.validated import Part, mapping, validated
from experts.annotate.rules import Annotate
from experts.edit.tasks import TASKS, TRAINED
from experts.local_edits.rules import Records
from experts.plan.rules import Planning
from experts.providers.choice import Choice
from experts.providers.models import Models
from experts.serving import ExpertChoice
from filters.footage.rules import FootageRules
from filters.rules import Filters
from flows.sources.bucket import BucketSources
from flows.sources.folder import FolderSources
from flows.sources.huggingface import DatasetSources
from flows.sources.samples import SampleSources
from flows.sources.source import MAX_FRAMES, MOST_OF_A_SOURCE
from flows.sources.stock.pexels import PexelsSources
from flows.sources.stock.pixabay import PixabaySources
from flows.sources.tar_shards import TarSources
from flows.sources.urls import UrlSources

Source = Annotated[
    SampleSources
    | FolderSources
    | PexelsSources
    | PixabaySources
    | UrlSources
    | TarSources
    | DatasetSources
    | BucketSources,
    Field(discriminator="kind"),
]


class Clips(Part):
    """How sources are cut."""

    max_frames: int = Field(default=MAX_FRAMES, ge=33, le=MAX_FRAMES)
    min_frames: int = Field(default=33, ge=2, le=MAX_FRAMES)  # the shortest edit of either paper
    # Evenly spaced; None keeps all.
    per_source: int | None = Field(default=None, ge=1, le=MOST_OF_A_SOURCE)
    shot_threshold: float = Field(default=0.5, gt=0, lt=1)  # TransNetV2's own default

    @model_validator(mode="after")
    def _some_length(self) -> Clips:
        self.check_order("min_frames", "max_frames")
        return self


NO_PAIRS = Planning.model_construct(weights={})
"""What stands in for `plan` in a recipe for records."""


OF_RECORDS = ("region_captions", "flow")
OF_PAIRS = ("depth", "encode", "write", "first_frame", "judge")
"""Slots that only builds of one product use."""


LogLayout = Literal["lines", "json"]


class Run(Part):
    """How the work is laid out; changes speed and memory, never a result."""

    shard_size: int = Field(default=4, ge=1, le=1_000_000)  # records per Prefect task
    workers: int = Field(default=2, ge=1, le=100_000)  # shards at a time
    runner: Literal["threads", "ray"] = "threads"  # of this process, or a Ray cluster's workers
    ray_address: str | None = Field(default=None, min_length=1)  # of a cluster to join, such as
    # `ray://head:10001` or `auto`; None starts one on this machine
    # Per model call; torch has one (experts.threads). More than there are cores only costs memory.
    threads: int = Field(default=1, ge=1, le=256)
    # GiB of each GPU; None: nearly all of it.
    gpu_memory: float | None = Field(default=None, gt=0, le=1e6)
    log: LogLayout = "lines"  # on stderr; json: an object a line (flows.runtime.monitoring.logs)
    server: str | None = Field(default=None, min_length=1)  # Prefect's: a URL, a profile's name or
    # `profile`, the one in use; None starts one for the build

    @model_validator(mode="after")
    def _address_is_rays(self) -> Run:
        if self.ray_address is not None and self.runner != "ray":
            raise ValueError("`ray_address` is of a Ray cluster; set `runner: ray` with it")
        return self


class Recipe(Part):
    """A whole build: of pairs, which `plan` describes, or of local-editing `records`."""

    name: str
    seed: int = Field(default=0, ge=-(2**53), le=2**53)  # what all readers of JSON hold exactly
    sources: tuple[Source, ...] = Field(min_length=1)
    footage: FootageRules = FootageRules()
    clips: Clips = Clips()
    models: Models = Models()
    annotate: Annotate = Annotate()
    plan: Planning = NO_PAIRS
    filters: Filters = Filters()
    records: Records | None = None
    experts: dict[str, ExpertChoice] = Field(
        default_factory=dict
    )  # by task or expert; default embedded
    credentials: bool = True  # C2PA's, in generated videos that leave the catalog
    run: Run = Run()

    @field_validator("name")
    @classmethod
    def _of_plain_letters(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise ValueError(
                f"{name!r} is no recipe's name: it has a–z, 0–9 and hyphens only, no hyphen first"
            )
        return name

    @field_validator("experts")
    @classmethod
    def _served(cls, providers: dict[str, ExpertChoice]) -> dict[str, ExpertChoice]:
        known = (*TRAINED, *(task.name for task in TASKS.values() if task.trained))
        for name in providers:
            if name not in known:
                raise ValueError(f"nothing trained serves {name!r}; there are: {', '.join(known)}")
        return providers

    @field_validator("models")
    @classmethod
    def _of_tasks(cls, models: Models) -> Models:
        for task in models.first_frame if isinstance(models.first_frame, dict) else ():
            if task not in TASKS:
                raise ValueError(f"`first_frame`: no task is called {task!r}")
        return models

    @model_validator(mode="after")
    def _one_product(self) -> Recipe:
        if ("plan" in self.model_fields_set) == (self.records is not None):
            raise ValueError(
                "a recipe has either `plan`, for pairs, or `records`, for local edits; give one of "
                "them, as flows/recipes/embedded.yaml does"
            )
        return self

    @model_validator(mode="after")
    def _sources_have_clips(self) -> Recipe:
        for k, source in enumerate(self.sources):
            if source.max_frames is not None and source.max_frames < self.clips.min_frames:
                raise ValueError(
                    f"`sources.{k}.max_frames` is {source.max_frames}, below `clips.min_frames`, "
                    f"{self.clips.min_frames}: no clip would be cut there; change one of them"
                )
        return self

    @model_validator(mode="after")
    def _best_is_judged(self) -> Recipe:
        if self.records is None and self.plan.best_of > 1 and self.models.judge is None:
            raise ValueError(
                "plan.best_of needs a judge to find the best; name one in `models.judge`"
            )
        return self

    def choices(self) -> list[Choice]:
        """Of `models`, those that its build uses: pairs need no describer of regions, and records
        neither instructions nor a judge."""
        unused = OF_RECORDS if self.records is None else OF_PAIRS
        return [choice for choice in self.models.choices() if choice.slot not in unused]

    def decisions(self) -> dict[str, object]:
        """All that can change a result: the recipe without `run`, and without `models`, `experts`
        or `credentials` that ask for nothing special. Of a provider, the options that change one
        (`Choice.decisions`)."""
        asked = self.model_dump(mode="json", exclude={"run"})
        asked["models"] = self.models.decisions()
        asked["experts"] = {
            name: given.decisions() if isinstance(given, Choice) else given
            for name, given in self.experts.items()
        }
        usual = {"models": Models().decisions(), "experts": {}, "credentials": True}
        return {n: part for n, part in asked.items() if n not in usual or part != usual[n]}


def load(name_or_path: str) -> Recipe:
    """The recipe of a shipped name (`embedded`) or a YAML file.

    Raises EditmillError, in one line that names the file, the key and what it should be.
    """
    shipped = files("flows") / "recipes"
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"} and not path.exists():
        entry = shipped / f"{name_or_path}.yaml"
        if not entry.is_file():
            names = sorted(e.name[:-5] for e in shipped.iterdir() if e.name.endswith(".yaml"))
            raise EditmillError(
                f"{name_or_path}: no such recipe; give a YAML file or one of: {', '.join(names)}"
            )
        text = entry.read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EditmillError(
                f"{path}: the recipe can't be read ({error}); check the path"
            ) from None
    return parse(text, where=name_or_path)


def parse(text: str, where: str) -> Recipe:
    """A recipe from YAML text; `where` names it in errors."""
    shape = "a recipe is a mapping of keys; see flows/recipes/embedded.yaml"
    return validated(Recipe, mapping(text, where, shape), where)
