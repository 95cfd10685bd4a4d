"""Which provider serves a task: the embedded expert, a version trained from a catalog, or an editor
of the slot `edit`.

A recipe names them in `experts`, by task or by trained expert; a task that it does not name is
served by the embedded one. Some take the first frame of an edit from an image editor, the recipe's
choice for the slot `first_frame`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.layout import MARKER
from catalog.query import Queries
from catalog.records import ModelRow, Pair
from catalog.storage import open_storage
from experts.base import Expert
from experts.diffusion.model.bases import base_named
from experts.edit.first_frame.editor import ImageEditor
from experts.edit.tasks import TASKS, expert_for
from experts.instances import ready, shared
from experts.providers.choice import Choice, choice_of, chosen
from experts.providers.models import Models
from experts.providers.registry import providers as registered

EMBEDDED = "embedded"
COGVIDEOX = "cogvideox"

_NAMED = re.compile(rf"{EMBEDDED}|{COGVIDEOX}@[0-9a-z]+(/[0-9a-z_]+)?")

FROM_FRAME = ("global_stylizer", "inpainter")
"""Trained experts that are conditioned on an edited first frame (`experts.diffusion.specs`, which
takes seconds to import)."""

SERVED_BY = "served_by"
"""Under which name a pair's parameters hold what made it, where its expert's name and version do
not say all (:func:`served_by`)."""


def _read(given: Any) -> Any:
    if isinstance(given, str) and _NAMED.fullmatch(given):
        return given
    if isinstance(given, str) and given not in registered("edit"):
        raise ValueError(
            f"{given!r} is no expert; give {EMBEDDED}, {COGVIDEOX}@latest, {COGVIDEOX}@<version>, "
            f"or one of {', '.join(registered('edit'))}"
        )
    return choice_of("edit", given)


ExpertChoice = Annotated[str | Choice, BeforeValidator(_read)]
"""`embedded`, `cogvideox@latest` (the version promoted last) or `cogvideox@<version>`; after a `/`
the cache that speeds up its denoising (`experts.diffusion.sampling.caching`), where that is not the
version's own. Or a provider of the slot `edit`, as `name` or as `{provider: name, <its options>}`.
"""


def provider_of(providers: Mapping[str, str | Choice], task: str) -> str | Choice:
    """Which provider serves a task. An entry for the task counts before one for the trained expert
    that can serve it."""
    return providers.get(task) or providers.get(TASKS[task].trained, EMBEDDED)


def name_of(provider: str | Choice) -> str:
    """What a person is told of it."""
    return provider.provider if isinstance(provider, Choice) else provider


def generates(providers: Mapping[str, str | Choice], task: str, models: Models) -> bool:
    """Whether the task's provider paints what it is told, so that a swap needs no donor."""
    provider = provider_of(providers, task)
    return isinstance(provider, Choice) or (
        provider != EMBEDDED
        and models.first_frame_of(task) is not None
        and TASKS[task].trained in FROM_FRAME
    )


def pinned(providers: Mapping[str, str | Choice], root: str | Path) -> dict[str, str | Choice]:
    """`providers` with `latest` replaced by the version it means now in the catalog at `root`, so
    that a build ends with the experts it began with, and its release says which they were.

    Raises EditmillError where a version or a cache is not known.
    """
    wanted = {
        name: given
        for name, given in providers.items()
        if isinstance(given, str) and given != EMBEDDED
    }
    if not wanted:
        return dict(providers)
    if not open_storage(root).exists(MARKER):
        raise EditmillError(
            f"{root}: no catalog there, so none of {', '.join(wanted)} was trained in it; build "
            "with embedded experts first, then train (docs/train.md)"
        )
    dataset = catalog.open(root)
    versions = {}
    for name, given in wanted.items():
        expert = TASKS[name].trained if name in TASKS else name
        version, slash, cache = given.partition("@")[2].partition("/")
        row = trained.find(dataset, expert, version)
        trained_expert(dataset, row, cache)
        versions[name] = f"{COGVIDEOX}@{row.version}{slash}{cache}"
    return {**providers, **versions}


def serving(
    dataset: Queries,
    providers: Mapping[str, str | Choice],
    task: str,
    models: Models = Models(),  # noqa: B008 - nothing changes it
) -> Expert:
    """The process's one instance of what serves the task, not yet loaded; `models` has the image
    editor and the depth model of those that take one."""
    provider = provider_of(providers, task)
    if provider == EMBEDDED:
        return _embedded(task, models.depth)
    frame = models.first_frame_of(task)
    editor = None if frame is None else chosen(frame)
    if isinstance(provider, Choice):
        expert: Expert = chosen(provider, first_frame=editor)
        return expert
    version, _, cache = provider.partition("@")[2].partition("/")
    row = trained.find(dataset, TASKS[task].trained, version)
    return trained_expert(dataset, row, cache, editor, models.depth)


def served_by(providers: Mapping[str, str | Choice], task: str, models: Models) -> dict[str, Any]:
    """What a pair's parameters must hold for :func:`that_made` to find its expert again, JSON-able:
    the choices behind an editor of the slot `edit`, its image editor and its depth model."""
    provider = provider_of(providers, task)
    found = {}
    if isinstance(provider, Choice):
        found["edit"] = provider.model_dump(mode="json")
    frame = models.first_frame_of(task)
    takes_frame = isinstance(provider, Choice) or TASKS[task].trained in FROM_FRAME
    if frame is not None and provider != EMBEDDED and takes_frame:
        found["first_frame"] = frame.model_dump(mode="json")
    takes_depth = TASKS[task].checkpoint if provider == EMBEDDED else isinstance(provider, str)
    if models.depth is not None and takes_depth:
        found["depth"] = models.depth.model_dump(mode="json")
    return {SERVED_BY: found} if found else {}


def _embedded(task: str, depth: Choice | None) -> Expert:
    if not (TASKS[task].checkpoint and depth):
        return expert_for(task)
    from experts.edit.maps.depth import DepthMap

    return shared(DepthMap, chosen(depth))


def embedded(task: str) -> Expert:
    """The task's embedded expert, loaded."""
    return ready(expert_for(task))


def that_made(dataset: Queries, pair: Pair) -> Expert:
    """The expert a pair was made by, or the embedded one of its task. Raises EditmillError where
    this version does not know it any more."""
    made_by = pair.params.get(SERVED_BY, {})
    editor = chosen(_again(pair, made_by, "first_frame")) if "first_frame" in made_by else None
    depth = _again(pair, made_by, "depth") if "depth" in made_by else None
    if "edit" in made_by:
        expert: Expert = chosen(_again(pair, made_by, "edit"), first_frame=editor)
        return expert
    if not pair.expert.startswith(f"{COGVIDEOX}-"):
        return _embedded(pair.task, depth)
    name = pair.expert.removeprefix(f"{COGVIDEOX}-")
    version, _, cache = pair.expert_version.split("+")[0].partition("/")
    return trained_expert(dataset, trained.find(dataset, name, version), cache, editor, depth)


def trained_expert(
    dataset: Queries,
    row: ModelRow,
    cache: str = "",
    first_frame: ImageEditor | None = None,
    depth: Choice | None = None,
) -> Expert:
    """The process's one instance of a trained version, not yet loaded; it denoises with `cache`,
    or with the version's own where that is empty."""
    try:
        from experts.diffusion.editing import CogVideoXEditor
        from experts.diffusion.expert import CogVideoXExpert
        from experts.diffusion.specs import EDITORS, expert_named
    except ImportError as error:
        raise EditmillError(
            f"{row.model_id}: trained experts need {error.name}; in the checkout, "
            "pip install -e '.[gpu]'"
        ) from None
    spec = expert_named(row.name)
    folder = trained.folder_of(dataset, row).resolve()
    base = base_named(spec.base, recorded_base(row))
    if row.name in EDITORS:
        return shared(CogVideoXEditor, row.name, row.version, folder, base, cache)
    editor = cast(Hashable, first_frame) if row.name in FROM_FRAME else None
    model = None if depth is None else chosen(depth)
    return shared(CogVideoXExpert, row.name, row.version, folder, base, cache, editor, model)


def recorded_base(row: ModelRow) -> str | None:
    """The folder that the version's base lay in when it was trained; None where it is gone."""
    recorded = row.config.get("base")
    return str(recorded) if recorded and Path(recorded).is_dir() else None


def _again(pair: Pair, made_by: Mapping[str, Any], slot: str) -> Choice:
    try:
        return choice_of(slot, made_by[slot])
    except ValueError as error:
        raise EditmillError(
            f"{pair.pair_id}: what made it is not known here any more ({error}); build again"
        ) from None
