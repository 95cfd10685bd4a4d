"""Training pairs kept on disk as descriptors, a file for each source.

To make a source's pairs takes about a minute, as long as to fit a model to those of twelve. So a
training that was stopped goes on with the next source, and one with more footage makes the pairs of
that alone.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from catalog.errors import EditmillError
from catalog.keys import digest, file_digest
from catalog.storage.files import write_bytes
from experts.weights import cache_dir
from filters.encoder.base import Encoder
from filters.quality.descriptor import features_version
from filters.quality.training.good_edits import GoodEdits, expert_versions
from filters.quality.training.training_set import TrainingSet

FACTS = ("kinds", "tasks", "sources", "clips")


def own_folder() -> Path:
    """In the user's cache folder for editmill."""
    return cache_dir() / "training"


class KeptSets:
    """The sets in a `folder`, by all that they depend on: the source, seed, `edits`, features, the
    experts that made the edits, and the code in this package."""

    def __init__(self, folder: Path, seed: int, edits: GoodEdits, encoder: Encoder) -> None:
        self._folder = folder
        code = [file_digest(path) for path in sorted(Path(__file__).parent.glob("*.py"))]
        given = dataclasses.asdict(edits)
        made_with = features_version(encoder), expert_versions(), code
        self._made_by = digest(seed, given, *made_with)

    def of(self, source_id: str, make: Callable[[], TrainingSet]) -> TrainingSet:
        """The source's set, made where no file has it whole, and then kept."""
        path = self._folder / f"{digest(source_id, self._made_by)}.npz"
        try:
            return load(path)
        except (OSError, BadZipFile, ValueError, KeyError, EOFError):
            examples = make()
        with suppress(EditmillError):  # a folder that takes no files only costs time
            save(path, examples)
        return examples


def save(path: Path, examples: TrainingSet) -> None:
    """Write the set, whole or not at all; raises EditmillError where it cannot be."""
    file = io.BytesIO()
    np.savez_compressed(file, **dataclasses.asdict(examples))
    write_bytes(path, file.getvalue())


def load(path: Path) -> TrainingSet:
    """The set in the file; raises what NumPy does where it is none."""
    with np.load(path) as file:
        facts = (tuple(map(str, file[name])) for name in FACTS)
        return TrainingSet(file["x"], *facts)
