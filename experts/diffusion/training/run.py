"""One training: what it learns from, by which settings, in which folder; all of it checked before
anything is computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.query import Queries
from catalog.records import ModelRow
from catalog.releases import Catalog
from catalog.storage.files import write_bytes
from experts.diffusion.model.fingerprint import ENCODERS, TRANSFORMER, fingerprint
from experts.diffusion.specs import ExpertSpec, Records
from experts.diffusion.training.data.catalog_clips import Record, collect, data_ref, split
from experts.diffusion.training.data.catalog_edits import local_edits, pairs
from experts.serving import base_folder
from flows.training.experts.settings import Config, Data, load

STAGE = "train"
SOURCES = "sources.json"
"""Beside a version's weights: the ids of all sources it has seen, of the versions before it too."""

COLLECT: dict[Records, Callable[[Queries, ExpertSpec, Data, str], Sequence[Record]]] = {
    "clips": collect,
    "pairs": pairs,
    "local_edits": local_edits,
}


@dataclass(frozen=True, slots=True)
class Run:
    """`learn` and `held` are the records to learn from and those of held-out sources; `key` names
    the training by data, settings and base; `folder` holds its examples and checkpoints."""

    root: Path
    config: Config
    base: Path
    encoders: str  # the base's, by content
    learn: list[Record]
    held: list[Record]
    data_ref: str
    key: str

    @property
    def spec(self) -> ExpertSpec:
        return self.config.recipe.spec

    @property
    def name(self) -> str:
        return self.config.recipe.expert

    @property
    def folder(self) -> Path:
        return self.root / "work" / "training" / self.name / self.key

    @property
    def cache(self) -> Path:
        """Latents and embeddings by these encoders, whichever training they were made for."""
        return self.root / "work" / "training" / "latents" / self.encoders

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def bf16(self) -> bool:
        return self.config.recipe.precision == "bf16"

    @property
    def dtype(self) -> torch.dtype:
        """Of the encoders."""
        return torch.bfloat16 if self.bf16 else torch.float32

    def main(self) -> Catalog:
        """The catalog as it is now, to register in."""
        return catalog.open(self.root)

    def parent(self) -> ModelRow | None:
        """The version the training begins with; None for the base.

        Decided when it first runs: a training that goes on keeps its beginning.
        """
        note = self.folder / "parent.json"
        if not note.is_file():
            found = None
            if self.config.settings.start == "latest":
                found = trained.latest(self.main(), self.name)
            write_bytes(note, json.dumps(found.version if found else "").encode())
        version = json.loads(note.read_bytes())
        return trained.find(self.main(), self.name, version) if version else None


def opened(
    root: Path, name: str, ref: str = "main", config: Path | None = None, base: Path | None = None
) -> Run:
    """The training of an expert on the catalog at `root`, as it stands at `ref`.

    Raises EditmillError where the settings, the base checkpoint or the records are not there.
    """
    settings = load(name, config)
    spec = settings.recipe.spec
    dataset = catalog.open(root, ref)
    where = base_folder(spec.base, settings.settings.base, base)
    rules = settings.settings.data
    found = COLLECT[spec.learns_from](dataset, spec, rules, f"{root} at {ref}")
    learn, held = split(found, rules.held_out)
    videos = {ref for record in found for ref in record.media}
    gone = sorted(ref for ref in videos if not dataset.path(ref).is_file())
    if gone:
        raise EditmillError(
            f"{root}: {len(gone)} of {len(videos)} videos are gone, the first is {gone[0]}; "
            "build again from the same sources to bring it back"
        )
    encoders = fingerprint(where, ENCODERS)
    key = digest(
        settings.decisions(),
        (encoders, fingerprint(where, TRANSFORMER)),
        [record.key for record in learn],
        [record.key for record in held],
    )
    read = data_ref(dataset, ref, spec.learns_from)
    return Run(root, settings, where, encoders, learn, held, read, key)


def sources_of(catalog_: Catalog, row: ModelRow | None) -> set[str]:
    """The sources a version has seen."""
    if row is None:
        return set()
    path = trained.folder_of(catalog_, row) / SOURCES
    return set(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else set()
