"""A catalog's edits as training records: kept pairs and local-editing records, for the editors."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from catalog import local_edits as samples
from catalog import media
from catalog.errors import EditmillError
from catalog.geometry import crop_resize
from catalog.keys import digest
from catalog.query import Queries
from catalog.records import LocalEdit, Pair, from_row, to_row
from experts.base import Masks
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.clip import Clip
from flows.training.experts.settings import Data


@dataclass(frozen=True, slots=True)
class CatalogPair:
    """A kept pair: its target is what to make, of its source, by its instruction."""

    dataset: Queries
    row: Pair

    @property
    def key(self) -> str:
        """Of both videos and the words, by their content."""
        return digest(self.row.source_video, self.row.target_video, self._said())

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

    def clip(self) -> Clip:
        """Where source and target differ in size (upscaling), the source is brought to the
        target's: both stand side by side in the model."""
        target = media.read_video(self.dataset.path(self.row.target_video))
        source = media.read_video(self.dataset.path(self.row.source_video))
        both = min(len(source), len(target))
        if source.shape[1:] != target.shape[1:]:
            source = crop_resize(source, target.shape[1:3])
        instruction, *others = self._said()
        return Clip(target[:both], instruction, {"source": source[:both]}, tuple(others))

    def masks(self, index: int) -> Masks:
        raise IndexError(index)

    def _said(self) -> list[str]:
        return list(dict.fromkeys([self.row.instruction, *self.row.phrasings]))


def pairs(dataset: Queries, spec: ExpertSpec, rules: Data, where: str) -> list[CatalogPair]:
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
    return [CatalogPair(dataset, pair) for pair in kept[: rules.clips]]


@dataclass(frozen=True, slots=True)
class CatalogLocalEdit:
    """A local-editing record: its footage is what to make, of its masked footage, by a caption."""

    dataset: Queries
    row: LocalEdit

    @property
    def key(self) -> str:
        """Of footage, mask and words; all of them follow from the row."""
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

    def clip(self) -> Clip:
        sample = samples.read(self.dataset, to_row(self.row))
        caption, *others = dict.fromkeys(sample.captions)
        return Clip(sample.x, caption, wordings=tuple(others), task=self.row.task)

    def masks(self, index: int) -> Masks:
        return media.read_masks(self.dataset.path(self.row.mask))


def local_edits(
    dataset: Queries, spec: ExpertSpec, rules: Data, where: str
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
    return [CatalogLocalEdit(dataset, edit) for edit in found[: rules.clips]]


def _order(edit: LocalEdit) -> str:
    return digest("order", edit.edit_id)
