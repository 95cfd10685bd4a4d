"""Where source videos come from: one file per kind, each a function from its section of the recipe
to the files it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.recipe import FolderSources, Recipe


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A video file on this machine, with what is known about its rights."""

    path: Path
    name: str
    uri: str  # where it came from, in a form that means something elsewhere
    licence: str


def list_sources(recipe: Recipe) -> Iterator[SourceFile]:
    """Every source of the recipe, in its order; samples are fetched when absent."""
    from flows.sources import folder, samples

    for section in recipe.sources:
        yield from (
            folder.find(section) if isinstance(section, FolderSources) else samples.find(section)
        )
