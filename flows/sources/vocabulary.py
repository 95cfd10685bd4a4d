"""Which labels may be given to what a clip shows: those that its section of `sources` lists."""

from __future__ import annotations

from flows.recipe import Recipe, SampleSources
from flows.sources import samples


def labels_of(recipe: Recipe, uri: str) -> tuple[str, ...] | None:
    """The vocabulary of the section that the source of this `uri` belongs to; None for all labels.

    The first section that has the source counts, as in the build.
    """
    sections = recipe.sources
    if len({section.labels for section in sections}) == 1:
        return sections[0].labels
    for section in sections:
        if isinstance(section, SampleSources):
            found = uri in map(samples.uri, section.names)
        else:
            found = (section.path.expanduser() / uri).exists()
        if found:
            return section.labels
    return None
