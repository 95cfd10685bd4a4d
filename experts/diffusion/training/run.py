"""One training: its settings, records, base and folder, all checked before any computation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.query import Queries
from catalog.records import ModelRow
from catalog.releases import Catalog
from catalog.storage.files import write_bytes
from experts.diffusion.model.bases import base_folder, base_named
from experts.diffusion.model.fingerprint import ENCODERS, TRANSFORMER, fingerprint
from experts.diffusion.serving import ServingSettings
from experts.diffusion.specs import ExpertSpec, Records
from experts.diffusion.training.comparison import EvaluationSettings
from experts.diffusion.training.data.catalog_clips import TrainableRecord, collect, data_ref, split
from experts.diffusion.training.data.catalog_edits import local_edits, pairs
from experts.diffusion.training.data.selection import RecordSelection
from experts.diffusion.training.recipe import TrainingRecipe

STAGE = "train"
InitFrom = Literal["base", "latest"]
"""Initial weights: the base checkpoint's, or those of the version promoted last."""

COLLECT: dict[
    Records, Callable[[Queries, ExpertSpec, RecordSelection, str], Sequence[TrainableRecord]]
] = {
    "clips": collect,
    "pairs": pairs,
    "local_edits": local_edits,
}


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The registered version; JSON-able through `dataclasses.asdict`. `reason` and `metrics` are
    those of `Comparison`."""

    expert: str
    model_id: str
    version: str
    path: str
    promoted: bool
    reason: str
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A training on the catalog at `root`, opened by `open_run`; it works in `workspace`.

    base: folder of the base checkpoint; encoders: fingerprint of its autoencoder and text encoder.
    train_records, held_out_records: of disjoint sources.
    key: names the training by its data, settings and base; equal keys give equal weights.
    """

    root: str | Path
    recipe: TrainingRecipe
    data: RecordSelection
    evaluation: EvaluationSettings
    serving: ServingSettings
    init_from: InitFrom
    base: Path
    encoders: str
    train_records: list[TrainableRecord]
    held_out_records: list[TrainableRecord]
    data_ref: str
    key: str
    workspace: Path

    @property
    def spec(self) -> ExpertSpec:
        return self.recipe.spec

    @property
    def name(self) -> str:
        return self.recipe.expert

    @property
    def folder(self) -> Path:
        """Of the examples and checkpoints."""
        return self.workspace / "training" / self.name / self.key

    @property
    def cache(self) -> Path:
        """Latents and embeddings by these encoders, shared by all trainings."""
        return self.workspace / "training" / "latents" / self.encoders

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that can change the weights or the version's output."""
        return _settings(self.recipe, self.init_from, self.data, self.evaluation, self.serving)

    def catalog(self) -> Catalog:
        """The catalog as it is now, to register in."""
        return catalog.open(self.root)

    def parent(self) -> ModelRow | None:
        """The version whose weights the training starts from; None for the base's.

        Decided at the first call and kept in the folder, so that a resumed training agrees.
        """
        note = self.folder / "parent.json"
        if not note.is_file():
            found = None
            if self.init_from == "latest":
                found = trained.latest(self.catalog(), self.name)
            write_bytes(note, json.dumps(found.version if found else "").encode())
        version = json.loads(note.read_bytes())
        return trained.find(self.catalog(), self.name, version) if version else None

    def result(self) -> TrainingResult | None:
        """The result of this training if it has ended and its version is still there."""
        document = self.catalog().products.get(STAGE, self.key)
        if document is None:
            return None
        folder = trained.path_of(self.catalog().storage, document["path"])
        if not (folder / trained.CONFIG).is_file():
            return None
        return TrainingResult(**document)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Raises EditmillError where another process runs this training: two would overwrite each
        other's checkpoints."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "lock", timeout=0):
                yield
        except Timeout:
            raise EditmillError(
                f"{self.folder}: another process runs this training; wait for it or end it"
            ) from None


def open_run(
    root: str | Path,
    recipe: TrainingRecipe,
    *,
    ref: str = "main",
    base: Path | None = None,
    data: RecordSelection | None = None,
    evaluation: EvaluationSettings | None = None,
    serving: ServingSettings | None = None,
    init_from: InitFrom = "base",
) -> TrainingRun:
    """The training by `recipe` on the catalog at `root`, read at the release `ref` or at `main`.

    base: folder of the base checkpoint in diffusers' layout, or `owner/name@<commit>` of the hub;
    None takes its environment variable's. It is looked for last, since it may have to be fetched.
    Raises EditmillError where the base, the records or their videos are not there.
    """
    data, evaluation = data or RecordSelection(), evaluation or EvaluationSettings()
    serving = serving or ServingSettings()
    spec = recipe.spec
    dataset = catalog.open(root, ref)
    found = COLLECT[spec.learns_from](dataset, spec, data, f"{root} at {ref}")
    train_records, held_out_records = split(found, data.held_out)
    videos = {video for record in found for video in record.media}
    gone = sorted(video for video in videos if not dataset.path(video).is_file())
    if gone:
        raise EditmillError(
            f"{root}: {len(gone)} of {len(videos)} videos are gone, the first is {gone[0]}; "
            "build again from the same sources to bring it back"
        )
    folder = base_folder(spec.base, base_named(spec.base, given=base))  # perhaps fetched
    encoders = fingerprint(folder, ENCODERS)
    key = digest(
        _settings(recipe, init_from, data, evaluation, serving),
        (encoders, fingerprint(folder, TRANSFORMER)),
        [record.key for record in train_records],
        [record.key for record in held_out_records],
    )
    return TrainingRun(
        root=root,
        workspace=dataset.workspace,
        recipe=recipe,
        data=data,
        evaluation=evaluation,
        serving=serving,
        init_from=init_from,
        base=folder,
        encoders=encoders,
        train_records=train_records,
        held_out_records=held_out_records,
        data_ref=data_ref(dataset, ref, spec.learns_from),
        key=key,
    )


def sources_of(catalog_: Catalog, row: ModelRow | None) -> set[str]:
    """The ids of the sources a version was trained on."""
    if row is None:
        return set()
    path = trained.folder_of(catalog_, row) / trained.SOURCES
    return set(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else set()


def _settings(
    recipe: TrainingRecipe,
    init_from: InitFrom,
    data: RecordSelection,
    evaluation: EvaluationSettings,
    serving: ServingSettings,
) -> dict[str, Any]:
    return {
        "recipe": recipe.in_weights(),
        "init_from": init_from,
        "data": data.model_dump(mode="json"),
        "evaluate": evaluation.model_dump(mode="json"),
        "serve": serving.model_dump(mode="json"),
    }
