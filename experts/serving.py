"""Which provider serves a task: the embedded expert, or a version trained from a catalog.

A recipe names providers in `experts`, by task or by trained expert; a task that it does not name is
served by the embedded one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.layout import MARKER
from catalog.query import Queries
from catalog.records import ModelRow, Pair
from catalog.storage import open_storage
from experts.base import Expert
from experts.diffusion.model.bases import base_folder
from experts.edit.tasks import TASKS, expert_for
from experts.instances import ready, shared

EMBEDDED = "embedded"
COGVIDEOX = "cogvideox"

Provider = Annotated[str, Field(pattern=rf"^({EMBEDDED}|{COGVIDEOX}@[0-9a-z]+(/[0-9a-z_]+)?)$")]
"""`embedded`, `cogvideox@latest` (the version promoted last) or `cogvideox@<version>`; after a `/`
the cache that speeds up its denoising (`experts.diffusion.sampling.caching`), where that is not the
version's own."""


def provider_of(providers: Mapping[str, str], task: str) -> str:
    """Which provider serves a task. An entry for the task counts before one for the trained expert
    that can serve it."""
    return providers.get(task) or providers.get(TASKS[task].trained, EMBEDDED)


def pinned(providers: Mapping[str, str], root: str | Path) -> dict[str, str]:
    """`providers` with `latest` replaced by the version it means now in the catalog at `root`, so
    that a build ends with the experts it began with, and its release says which they were.

    Raises EditmillError where a version or a cache is not known.
    """
    wanted = {name: given for name, given in providers.items() if given != EMBEDDED}
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


def serving(dataset: Queries, providers: Mapping[str, str], task: str) -> Expert:
    """The process's one instance of what serves the task, not yet loaded."""
    provider = provider_of(providers, task)
    if provider == EMBEDDED:
        return expert_for(task)
    version, _, cache = provider.partition("@")[2].partition("/")
    return trained_expert(dataset, trained.find(dataset, TASKS[task].trained, version), cache)


def embedded(task: str) -> Expert:
    """The task's embedded expert, loaded."""
    return ready(expert_for(task))


def that_made(dataset: Queries, pair: Pair) -> Expert:
    """The expert a pair was made by, or the embedded one of its task."""
    if not pair.expert.startswith(f"{COGVIDEOX}-"):
        return expert_for(pair.task)
    name = pair.expert.removeprefix(f"{COGVIDEOX}-")
    version, _, cache = pair.expert_version.split("+")[0].partition("/")
    return trained_expert(dataset, trained.find(dataset, name, version), cache)


def trained_expert(dataset: Queries, row: ModelRow, cache: str = "") -> Expert:
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
    base = base_folder(spec.base, row.config.get("base"))
    kind = CogVideoXEditor if row.name in EDITORS else CogVideoXExpert
    return shared(kind, row.name, row.version, folder, base, cache)
