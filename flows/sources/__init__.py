"""Where source videos come from: one file per kind, each a function from its section of the recipe
to the files it names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import BadInput, EditmillError
from flows.recipe import FolderSources, Recipe


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file or folder gives no footage; becomes its row in `failures`. See BadInput."""

    reason: str
    message: str
    final: bool = True

    def error(self) -> BadInput:
        return BadInput(self.reason, self.message, final=self.final)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A video file on this machine, with what is known about its rights."""

    path: Path
    name: str  # valid UTF-8, even where the path is not; no two of a recipe's sources share one
    uri: str  # where it came from, in a form that means something elsewhere
    licence: str
    refusal: Refusal | None = None  # set: it cannot be footage
    per_source: int | None = None  # clips of it; None: as many as the recipe's `clips` says
    max_frames: int | None = None  # of each of them; None: as the recipe's `clips` says
    copies: tuple[SourceFile, ...] = ()  # further files of the same content (flows.sources.copies)


@dataclass(frozen=True, slots=True)
class Listing:
    """A recipe's sources as they lie there now; `notes` say in a line each what was left out."""

    files: list[SourceFile]
    notes: list[str]


def listing(recipe: Recipe) -> Listing:
    """Every source of the recipe, in its order; samples are fetched when absent.

    Raises EditmillError for a folder that is not there, and where nothing can be footage.
    """
    from flows.sources import folder, samples

    files: list[SourceFile] = []
    notes: list[str] = []
    for section in recipe.sources:
        if isinstance(section, FolderSources):
            found = folder.find(section)
            files += found.files
            notes += found.notes
        else:
            files += samples.find(section)
    refused = [file.refusal for file in files if file.refusal is not None]
    if refused and len(refused) == len(files):
        raise EditmillError(
            f"none of the {len(files)} sources can be read; the first: {refused[0].message}"
        )
    return Listing(_with_unique_names(files), notes)


def list_sources(recipe: Recipe) -> list[SourceFile]:
    """The files of :func:`listing`."""
    return listing(recipe).files


def _with_unique_names(files: Iterable[SourceFile]) -> list[SourceFile]:
    """The files, those whose name is taken (two folders hold a `1.mp4`) under a longer one."""
    taken: set[str] = set()
    apart = []
    for file in files:
        name, number = file.name, 1
        while name in taken:
            number += 1
            name = f"{file.name} ({number})"
        taken.add(name)
        own = dataclasses.replace(file, name=name, uri=name if file.uri == file.name else file.uri)
        apart.append(own)
    return apart
