"""The builds of a catalog that have ended: a small document each, kept for good."""

from __future__ import annotations

from catalog.storage.location import Storage
from catalog.storage.parallel import every
from flows.runtime.monitoring.status import ENDED, Status, parsed


def ended_builds(storage: Storage) -> list[Status]:
    """How each build ended, in the order in which they were started. A document that this version
    of editmill cannot read is passed over."""
    read = every(storage, storage.read, [each.key for each in storage.list(ENDED)])
    found = [status for data in read if data and (status := parsed(data)) is not None]
    return sorted(found, key=lambda status: status.started_at)
