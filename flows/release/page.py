"""Where the report goes: into the catalog, whatever that lies in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.storage.folder import FolderStorage
from flows.release.outcome import REPORT
from flows.runtime.context import Context


@contextmanager
def page(ctx: Context) -> Iterator[Path]:
    """Gives a path to write the report to; afterwards it is in the catalog's storage."""
    storage = ctx.storage
    if isinstance(storage, FolderStorage):
        yield storage.root / REPORT
        return
    with tempfile.TemporaryDirectory(prefix="editmill-") as folder:
        written = Path(folder) / REPORT
        yield written
        storage.write(REPORT, written.read_bytes())


def report_uri(ctx: Context) -> str:
    """Where the report lies."""
    return f"{ctx.uri}/{REPORT}"
