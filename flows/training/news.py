"""What a catalog holds that a model has not learnt from yet.

A version's row says which release it learnt from. That release is still as it was, so what is new
is what the newest release has and it has not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog import opening
from catalog.query import Queries
from catalog.records import ModelRow, Release
from catalog.releases import Catalog
from flows.release.since import recipe_name
from flows.training.retraining import Retraining


@dataclass(frozen=True, slots=True)
class News:
    """`new` are the keys that `release` has, of `total`, and the release of the last training has
    not."""

    release: str
    new: frozenset[str]
    total: int

    def too_few(self, model: str, records: str, least: int) -> Retraining:
        """What a retraining comes to that asks for `least` new records."""
        reason = (
            f"release {self.release}: {len(self.new)} of {self.total} {records} are new, and "
            f"{least} are asked for (least_new)"
        )
        return Retraining(model, reason, self.release, len(self.new))


def newest_release(dataset: Catalog, recipe: str | None = None) -> Release | None:
    """The release made last, of the recipe of that name where one is given; None without one."""
    for release in dataset.newest_releases():
        if recipe is None or recipe_name(release) == recipe:
            return release
    return None


def news(
    dataset: Catalog,
    release: Release,
    versions: Sequence[ModelRow],
    keys: Callable[[Queries], set[str]],
) -> News:
    """What the newest of an expert's or filter's `versions` has not learnt from; `keys` are those
    of the records that it learns from.

    All of it counts where nothing was trained yet, or not on a release that is still there.
    """
    now = keys(opening.open(dataset.storage, release.tag))
    tags = dataset.tags()
    before = versions[-1].data_ref if versions else ""
    known = keys(opening.open(dataset.storage, before)) if before in tags else set()
    return News(release.tag, frozenset(now - known), len(now))
