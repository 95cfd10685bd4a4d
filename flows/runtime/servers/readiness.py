"""Whether what a build will open can be had, settled before its first record is worked on.

Weights and servers are looked for once a record has no product, and only those of the stages that
it still has before it: a finished build needs none, and one that has only pairs left to judge needs
no detector. So a build that cannot go to its end makes nothing, instead of ending days later. On a
cluster each machine looks for what its own stage opens: another one may have the rest.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from catalog.errors import EditmillError
from catalog.releases import Catalog
from experts import weights
from experts.checkpoint import NotHadError
from experts.checkpoint.places import offline
from experts.providers.requirements import Requirement
from flows.needs import STAGES, fetch, files, needed, slots_from, slots_of
from flows.recipe import Recipe

log = logging.getLogger("editmill")

AT_ONCE = 8
"""Checkpoints and files asked for side by side."""


class Readiness:
    """Of one build run in this process. Thread-safe. `named` is the recipe as its user named it,
    `dataset` holds its trained versions, `check_stop` raises where the build shall stop."""

    def __init__(
        self, recipe: Recipe, named: str, dataset: Catalog, check_stop: Callable[[], None]
    ) -> None:
        self._dataset = dataset
        self._recipe, self._named, self._check_stop = recipe, named, check_stop
        self._on_a_cluster = recipe.run.ray_address is not None
        self._ready: set[str] = set()  # stages
        self._fault: EditmillError | None = None
        self._lock = threading.Lock()
        self.away: dict[str, EditmillError] = {}  # servers that do not answer, by slot

    def before(self, stage: str) -> None:
        """Looks for what a record may need that has no product of `stage` yet, and fetches weights
        that are not here.

        Raises EditmillError, one line that names all weights that cannot be had, or a server that
        does not answer.
        """
        if stage not in STAGES:
            return
        for slot in slots_from(stage) if self.away else ():
            if slot in self.away:
                raise self.away[slot]
        if stage in self._ready:
            return
        with self._lock:
            if self._fault is not None:
                raise self._fault
            if stage in self._ready:
                return
            try:
                self._look(slots_of(stage) if self._on_a_cluster else slots_from(stage))
            except EditmillError as error:
                self._fault = error
                raise
            following = STAGES[STAGES.index(stage) :]
            self._ready.update([stage] if self._on_a_cluster else following)

    def of_new(self, catalog: Catalog) -> None:
        """The same for all of a build in a catalog without clips, where every record is to be made:
        told before anything is started. Raises as `before`."""
        if catalog.tables.version("clips") is None and not self._on_a_cluster:
            self.before(STAGES[0])

    def _look(self, slots: Collection[str]) -> None:
        rows = [each for each in needed(self._recipe, self._dataset) if each.slot in slots]
        absent = [entry for entry in files(self._recipe, slots) if not entry.present]
        lacking = [each for each in rows if each.checkpoint and each.state != "here"]
        for each in rows:
            if each.install:
                raise EditmillError(
                    f"{each.slot}: {each.name} needs {each.library}, which is not installed; in "
                    f"the checkout: {each.install}"
                )
        if not (lacking or absent):
            return
        if not offline():
            self._say(lacking, absent)
        with ThreadPoolExecutor(AT_ONCE) as pool:  # a hub that is away takes each half a minute
            tried = [pool.submit(self._had, each) for each in lacking]
            tried += [pool.submit(self._fetched, entry) for entry in absent]
        faults = [fault for each in tried if (fault := each.result())]
        if faults:
            raise EditmillError(self._cannot(faults))

    def _say(self, lacking: list[Requirement], absent: list[weights.WeightsEntry]) -> None:
        names = [each.name for each in lacking] + [each.name for each in absent]
        sizes = [each.size for each in lacking] + [each.size for each in absent]
        log.warning(
            "Weights that are not here are fetched first: %s, %.1f GB%s",
            ", ".join(names),
            sum(sizes) / 1e9,
            "" if all(sizes) else " and what is of unknown size",
        )

    def _had(self, each: Requirement) -> tuple[str, str] | None:
        """Name and fault of a checkpoint that cannot be had."""
        if each.fault:
            return each.name, each.fault
        try:
            fetch(each, lambda *_: self._check_stop())
        except NotHadError as error:
            return each.name, error.reason
        except EditmillError as error:
            return each.name, str(error)
        return None

    def _fetched(self, entry: weights.WeightsEntry) -> tuple[str, str] | None:
        self._check_stop()
        try:
            weights.fetch(entry.name, lambda *_: self._check_stop())
        except EditmillError as error:
            return entry.name, str(error)
        return None

    def _cannot(self, faults: list[tuple[str, str]]) -> str:
        names = ", ".join(dict.fromkeys(name for name, _ in faults))
        return (
            f"weights that the build needs are neither here nor to be had: {names}; the first: "
            f"{faults[0][1]}; with a connection, bring them with: editmill models --recipe "
            f"{self._named} --fetch"
        )
