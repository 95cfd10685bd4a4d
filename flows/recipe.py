"""What to build, in one validated file.

Every constant has the paper's value as its default, so that a recipe only says what differs.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_serializer, field_validator, model_validator

from catalog.errors import EditmillError, printable
from catalog.validated import Part, mapping, validated
from experts.edit.tasks import TASKS, TRAINED
from experts.masks.kinds import KINDS
from filters.config import Filters

MAX_FRAMES = 500
"""Longer sources are cut (Señorita-2M, video pre-processing)."""


class SampleSources(Part):
    """Sample clips that package registries carry, by their slot names in experts/weights.toml."""

    kind: Literal["samples"]
    names: tuple[str, ...] = Field(min_length=1)
    labels: tuple[str, ...] | None = None  # the vocabulary of this footage (VIVID-10M); None: all


class FolderSources(Part):
    """Every video below a folder."""

    kind: Literal["folder"]
    path: Path
    licence: str = "unknown"
    labels: tuple[str, ...] | None = None  # the vocabulary of this footage (VIVID-10M); None: all

    @field_serializer("path", when_used="json")
    def _printable(self, path: Path) -> str:
        return printable(path)  # the system's names need not be UTF-8, JSON must


class Clips(Part):
    """How sources are cut."""

    max_frames: int = Field(default=MAX_FRAMES, ge=33, le=MAX_FRAMES)
    min_frames: int = Field(default=33, ge=2)  # the shortest edit of either paper
    per_source: int | None = Field(default=None, ge=1)  # evenly spaced; None keeps all
    shot_threshold: float = Field(default=0.5, gt=0, lt=1)  # TransNetV2's own default


class Annotate(Part):
    """Detection and tracking."""

    keyframe_seconds: float = Field(default=0.64, gt=0)  # between two: 16 frames at 25 fps
    score_threshold: float = Field(default=0.35, gt=0, lt=1)
    max_objects: int = Field(default=12, ge=1)


class Planning(Part):
    """Which edits are drawn."""

    edits_per_clip: int = Field(default=6, ge=1)
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    min_area: float = Field(default=0.004, gt=0)  # share of the frame; below, nobody sees the edit
    max_area: float = Field(default=0.30, le=1)  # above, too little is left to fill a removal from
    max_invented: float = Field(default=0.003, ge=0, le=1)  # of the frame, painted unseen by anyone
    removal_span: int = Field(default=33, ge=0)  # frames to each side that a removal looks at, too
    min_score: float = Field(default=0.6, ge=0, le=1)  # the detector's; below are reflections, too
    min_confidence: float = Field(default=0.65, ge=0, le=1)  # in nine tenths of an edit's frames
    frames: int | None = Field(default=None, ge=2)  # caps all tasks; None: the papers'
    long_side: int | None = Field(default=None, ge=128)  # caps every edit's size; None: the papers'

    @field_validator("weights")
    @classmethod
    def _known_tasks(cls, weights: dict[str, float]) -> dict[str, float]:
        for task in weights:
            if task not in TASKS:
                raise ValueError(f"no task is called {task!r}; there are: {', '.join(TASKS)}")
        if not any(weights.values()):
            raise ValueError("at least one task needs a weight above 0")
        return weights


Share = Annotated[float, Field(ge=0)]


class Records(Part):
    """Which local-editing records are drawn; the defaults are VIVID-10M's unless marked ours."""

    per_clip: int = Field(default=8, ge=1)  # videos; ours
    images_per_video: float = Field(default=10, ge=0)  # Sec. 4.4, training batches
    weights: dict[Literal["addition", "modification", "deletion"], Share] = Field(
        default={"addition": 1.5, "modification": 1.5, "deletion": 1}  # Sec. 4.4: together 3:1
    )
    kinds: dict[Literal[KINDS], Share] = Field(  # type: ignore[valid-type]
        default=dict.fromkeys(KINDS, 1.0)  # Sec. 3.3: every mask in all six
    )
    min_seconds: float = Field(default=5, gt=0)  # Sec. 3, videos
    min_lines: int = Field(default=720, ge=64)  # Sec. 1, the source's shorter side
    lines: int = Field(default=720, ge=64)  # Table 1, a record's shorter side; never upscaled
    background_share: float = Field(
        default=0.5, ge=0, le=1
    )  # of deletions, rest by trajectory; ours
    grow: tuple[float, float] = (0.04, 0.2)  # `expand` over the object's mean side; ours
    paste_scale: tuple[float, float] = (0.6, 1.2)  # of a pasted mask against its own picture; ours
    min_area: float = Field(default=0.004, gt=0)  # share of the picture; ours, as are those below
    max_area: float = Field(default=0.35, le=1)
    max_masked: float = Field(default=0.6, le=1)  # of the picture, after augmentation
    min_score: float = Field(default=0.5, ge=0, le=1)  # the detector's; below, posters turn people
    min_confidence: float = Field(default=0.6, ge=0, le=1)  # the tracker's, mean over the window

    @field_validator("weights", "kinds")
    @classmethod
    def _any(cls, weights: dict[str, float]) -> dict[str, float]:
        if not any(weights.values()):
            raise ValueError("at least one needs a weight above 0")
        return weights


EMBEDDED = "embedded"
COGVIDEOX = "cogvideox"
LATEST = "latest"

Make = Annotated[str, Field(pattern=rf"^({EMBEDDED}|{COGVIDEOX}@[0-9a-z]+(/[0-9a-z_]+)?)$")]
"""`embedded`, `cogvideox@latest` (the version promoted last) or `cogvideox@<version>`; after a `/`
the cache it is asked with (`experts.diffusion.sampling.caching`), where that is not the version's
own."""

NO_PAIRS = Planning.model_construct(weights={})
"""What stands in for `plan` in a recipe for records."""


class Run(Part):
    """How the work is laid out; changes speed and memory, never a result."""

    shard_size: int = Field(default=4, ge=1)  # records per Prefect task
    workers: int = Field(default=2, ge=1)  # shards at a time
    threads: int = Field(default=1, ge=1)  # per model call; torch has one (experts.threads)
    server: str | None = Field(default=None, min_length=1)  # Prefect's: a URL, a profile's name or
    # `profile`, the one in use; None starts one for the build


class Recipe(Part):
    """A whole build: of pairs, which `plan` describes, or of local-editing `records`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    seed: int = 0
    sources: tuple[Annotated[SampleSources | FolderSources, Field(discriminator="kind")], ...] = (
        Field(min_length=1)
    )
    clips: Clips = Clips()
    annotate: Annotate = Annotate()
    plan: Planning = NO_PAIRS
    filters: Filters = Filters()
    records: Records | None = None
    experts: dict[str, Make] = Field(default_factory=dict)  # by task or expert; default embedded
    run: Run = Run()

    @field_validator("experts")
    @classmethod
    def _served(cls, makes: dict[str, str]) -> dict[str, str]:
        known = (*TRAINED, *(task.name for task in TASKS.values() if task.trained))
        for name in makes:
            if name not in known:
                raise ValueError(f"nothing trained serves {name!r}; there are: {', '.join(known)}")
        return makes

    @model_validator(mode="after")
    def _one_product(self) -> Recipe:
        if ("plan" in self.model_fields_set) == (self.records is not None):
            raise ValueError(
                "either `plan`, for pairs, or `records`, for local edits, must be there"
            )
        return self

    def decisions(self) -> dict[str, object]:
        """All that can change a result: the recipe without `run`, and without an `experts` that
        names none."""
        unused = {"run"} if self.experts else {"run", "experts"}
        return self.model_dump(mode="json", exclude=unused)

    def make_of(self, task: str) -> str:
        """Which make serves a task; what names the task goes before what names its expert."""
        return self.experts.get(task) or self.experts.get(TASKS[task].trained, EMBEDDED)


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
