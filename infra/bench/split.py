"""Which sources things are chosen on and which are only reported on (split.toml).

from infra.bench.split import rendered_split, split
for name in split().reported_on:
    path = experts.weights.fetch(name)
for name in rendered_split().reported_on:
    made = infra.bench.rendered.load.scene(name)
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import EditmillError

SPLIT = Path(__file__).with_name("split.toml")


@dataclass(frozen=True, slots=True)
class Split:
    """Two sets of sources: name → one line on what kind of footage it is."""

    tuned_on: Mapping[str, str]
    reported_on: Mapping[str, str]


def split(path: Path = SPLIT) -> Split:
    """That of real footage. Raises EditmillError if a source stands in both tables."""
    return _checked(tomllib.loads(path.read_text(encoding="utf-8")), path)


def rendered_split(path: Path = SPLIT) -> Split:
    """That of the rendered scenes (infra/bench/rendered). Raises as `split` does."""
    return _checked(tomllib.loads(path.read_text(encoding="utf-8"))["rendered"], path)


def _checked(tables: Mapping[str, Mapping[str, str]], path: Path) -> Split:
    both = sorted(tables["tuned_on"].keys() & tables["reported_on"].keys())
    if both:
        raise EditmillError(
            f"{path.name}: {', '.join(both)} is tuned on and reported on; choose one"
        )
    return Split(tables["tuned_on"], tables["reported_on"])
