"""A catalog's edits as training records: kept pairs and local-editing records, for the editors."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from catalog import media
from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.media.geometry import crop_resize
from catalog.query import Queries
from catalog.records import LocalEdit, Pair, from_row, to_row
from catalog.samples import local_edit as samples
from experts.base import Masks
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.clip import TrainingClip
from experts.diffusion.training.data.selection import RecordSelection


@dataclass(frozen=True, slots=True)
class CatalogPair:
    """A kept pair: its target is generated, from its source and its instruction."""

    dataset: Queries
    row: Pair

    @property
    def key(self) -> str:
        """Of both videos and the instructions, by their content."""
        return digest(self.row.source_video, self.row.target_video, self._instructions())

    @property
    def source_id(self) -> str:
        return self.row.source_id

    @property
    def licence(self) -> str:
        return self.row.licence

    @property
    def media(self) -> tuple[str, ...]:
        return self.row.source_video, self.row.target_video

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    def clip(self) -> TrainingClip:
        """A source of another size than its target (upscaling) is resized to the target's: the
        model takes latents of one size."""
        target = media.read_video(self.dataset.path(self.row.target_video))
        source = media.read_video(self.dataset.path(self.row.source_video))
        both = min(len(source), len(target))
        if source.shape[1:] != target.shape[1:]:
            source = crop_resize(source, target.shape[1:3])
        instruction, *others = self._instructions()
        return TrainingClip(target[:both], instruction, {"source": source[:both]}, tuple(others))

    def masks(self, index: int) -> Masks:
        raise IndexError(index)

    def _instructions(self) -> list[str]:
        return list(dict.fromkeys([self.row.instruction, *self.row.phrasings]))


def pairs(
    dataset: Queries, spec: ExpertSpec, selection: RecordSelection, where: str
) -> list[CatalogPair]:
    """The kept pairs, in an order that depends on them alone.

    Raises EditmillError, saying what `where` lacks, where there are none.
    """
    scan = dataset.pairs()
    count = int(scan.select(pl.len()).collect().item())
    kept = [from_row(Pair, r) for r in scan.filter(pl.col("keep")).collect().iter_rows(named=True)]
    if not kept:
        raise EditmillError(
            f"{where}: nothing for the {spec.name} to learn from: none of {count} pairs is kept; "
            "build pairs first, or name another --ref"
        )
    kept.sort(key=lambda pair: digest("order", pair.pair_id))
    return [CatalogPair(dataset, pair) for pair in kept[: selection.max_records]]


@dataclass(frozen=True, slots=True)
class CatalogLocalEdit:
    """A local-editing record: its footage is generated, from its masked footage and a caption."""

    dataset: Queries
    row: LocalEdit

    @property
    def key(self) -> str:
        """Of footage, mask and captions, all of which are in the row."""
        return digest(to_row(self.row))

    @property
    def source_id(self) -> str:
        return self.row.source_id

    @property
    def licence(self) -> str:
        return self.row.licence

    @property
    def media(self) -> tuple[str, ...]:
        return self.row.video, self.row.mask

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.row.label,)

    def clip(self) -> TrainingClip:
        sample = samples.read(self.dataset, to_row(self.row))
        caption, *others = dict.fromkeys(sample.captions)
        return TrainingClip(sample.x, caption, rephrasings=tuple(others), task=self.row.task)

    def masks(self, index: int) -> Masks:
        return media.read_masks(self.dataset.path(self.row.mask))


def local_edits(
    dataset: Queries, spec: ExpertSpec, selection: RecordSelection, where: str
) -> list[CatalogLocalEdit]:
    """The local-editing records, in an order that depends on them alone.

    Raises EditmillError, saying what `where` lacks, where there are none.
    """
    rows = dataset.local_edits().collect().iter_rows(named=True)
    found = sorted((from_row(LocalEdit, row) for row in rows), key=_order)
    if not found:
        raise EditmillError(
            f"{where}: nothing for the {spec.name} to learn from: no local-editing record; build "
            "them first (editmill build vivid-embedded), or name another --ref"
        )
    return [CatalogLocalEdit(dataset, edit) for edit in found[: selection.max_records]]


def _order(edit: LocalEdit) -> str:
    return digest("order", edit.edit_id)
