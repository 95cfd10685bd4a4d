"""The versions of a filter's model that were trained from a catalog: how a recipe names one, and
where its file lies.

They are kept as the trained experts are (:mod:`catalog.trained`): a folder
`models/<filter>/<version>` and a row in `trained`, whose kind is `filter`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.layout import MARKER
from catalog.query import Queries
from catalog.records import ModelRow
from catalog.releases import Catalog
from catalog.storage import open_storage
from experts.providers import Choice
from experts.providers.choice import choice_of
from filters.rules import LATEST, Filters

KIND = "filter"

MODEL = "model.safetensors"
"""A version's file; what is in it is the filter's own."""

LABELS = "labels.json"
"""The file of a version that lists the ids of all labels that it was trained on."""

EMBEDDED = "embedded"
"""The provider of the slot `encode` that the shipped models were trained on."""

NAMED_BY = {"quality": "quality_model", "alignment": "style_probes"}
"""By filter, the key of a recipe's `filters` section that names its model."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model on its way into a catalog.

    name: of the filter. data: the model's file. licence, metrics, data_ref, promoted: see ModelRow.
    sources: ids of all footage that it was trained on. labels: of what people said of pairs.
    settings: how it was trained.
    """

    name: str
    data: bytes = field(repr=False)
    licence: str
    metrics: Mapping[str, Any]
    sources: Collection[str]
    labels: Collection[str]
    settings: Mapping[str, Any]
    data_ref: str
    promoted: bool


def versions(dataset: Queries, name: str, encoder: Choice) -> list[ModelRow]:
    """All versions that judge by this encoder's features, the oldest first."""
    wanted = encoder.decisions()
    return [row for row in trained.versions(dataset, name) if _encoder_of(row) == wanted]


def promoted(rows: Sequence[ModelRow]) -> ModelRow | None:
    """The one of these versions that was promoted last; None where there is none."""
    return next((row for row in reversed(rows) if row.promoted), None)


def labels_learnt(dataset: Queries, row: ModelRow) -> frozenset[str]:
    """The ids of the labels that this version was trained on; none where it is older than they."""
    return frozenset(json.loads(dataset.storage.read(f"{row.path}/{LABELS}") or b"[]"))


def _encoder_of(row: ModelRow) -> dict[str, Any] | None:
    """What decides its features; None for an encoder that this editmill does not know."""
    try:
        return choice_of("encode", row.config.get("encoder", EMBEDDED)).decisions()
    except ValueError:
        return None


def pinned(rules: Filters, encoder: Choice, root: str | Path) -> Filters:
    """`rules` with `latest` replaced by the version it means now in the catalog at `root` for this
    encoder, so that a release says which one judged. Where none was promoted yet it is None: the
    shipped model, which is the embedded encoder's; with another the filter abstains and says so.

    Raises EditmillError where a named version is not there.
    """
    named = {key: getattr(rules, key) for key in NAMED_BY.values()}
    wanted = {key: given for key, given in named.items() if isinstance(given, str)}
    if not wanted:
        return rules
    dataset = catalog.open(root) if open_storage(root).exists(MARKER) else None
    found: dict[str, str | None] = {}
    for key, given in wanted.items():
        name = next(name for name, by in NAMED_BY.items() if by == key)
        row = None if dataset is None else promoted(versions(dataset, name, encoder))
        if given != LATEST:
            found[key] = given
            file_of(given, dataset)
        else:
            found[key] = row.model_id if row else None
    return rules.model_copy(update=found)


def file_of(model: str | Path | None, dataset: Queries | None) -> Path | None:
    """The local file of a model as a recipe names it; None where it names none, and the shipped one
    counts.

    Raises EditmillError for a version that is not in the catalog `dataset`, and for `latest`, which
    :func:`pinned` replaces.
    """
    if model is None or isinstance(model, Path):
        return model
    name, _, version = model.partition("@")
    if dataset is None or not version:
        raise EditmillError(
            f"{model}: names a model trained from a catalog, and there is none here; name a "
            "file, or build first and train with: editmill retrain"
        )
    return trained.folder_of(dataset, trained.find(dataset, name, version)) / MODEL


def register(dataset: Catalog, model: TrainedModel) -> ModelRow:
    """Put a trained model into the catalog: its folder, then its row."""
    home = dataset.workspace / "training"
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=home))
    folder.chmod(0o755)  # as any other folder: others read the catalog, too
    (folder / MODEL).write_bytes(model.data)
    _write(folder / trained.SOURCES, sorted(model.sources))
    _write(folder / LABELS, sorted(model.labels))
    _write(folder / trained.CONFIG, {"name": model.name, "settings": dict(model.settings)})
    version, path = trained.keep(dataset.storage, model.name, folder)
    row = ModelRow(
        model_id=f"{model.name}@{version}",
        name=model.name,
        version=version,
        licence=model.licence,
        origin=f"trained here by `editmill retrain {model.name}`",
        metrics=dict(model.metrics),
        kind=KIND,
        path=path,
        config=dict(model.settings),
        data_ref=model.data_ref,
        promoted=model.promoted,
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
    )
    dataset.tables.put("trained", {row.model_id: [row]})
    return row


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")
