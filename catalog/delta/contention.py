"""Commits of several writers at once: Delta lets the first one through, the others try again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from deltalake.exceptions import CommitFailedError, DeltaError
from polars.exceptions import PanicException, PolarsError

from catalog.delta.table import StoredTable
from catalog.errors import EditmillError
from catalog.storage.files import unwritable

ATTEMPTS = 30
"""Tries of one commit before giving up; with the pauses below this is about 25 s of contention."""

MISSED = 4
"""Tries of one commit in an object store, which may be away for a minute, or, on lakeFS, not find
objects that are there (:meth:`catalog.tables.Tables._open`)."""

LONGEST_PAUSE = 2.0  # s, between two tries

T = TypeVar("T")


def committed(stored: StoredTable, attempt: Callable[[], T]) -> T:
    """Run `attempt`, again where another writer came first.

    Raises EditmillError where others always do, and where the table is damaged or cannot be
    written.
    """
    for tries in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except CommitFailedError:
            if tries == ATTEMPTS:
                raise EditmillError(
                    f"{stored.uri}: other writers came first {ATTEMPTS} times; "
                    "run fewer builds on this catalog at once"
                ) from None
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**tries)))
        except (PolarsError, PanicException):
            stored.find_damage()
            raise
        except (DeltaError, OSError) as error:
            stored.find_damage()
            if stored.folder is None and tries < MISSED:
                continue
            raise unwritable(stored.uri, error) from None
    raise AssertionError("unreachable")
