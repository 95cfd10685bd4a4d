"""Whether a build is at work in a catalog: what removes things waits for it to end."""

from __future__ import annotations

from catalog.errors import EditmillError
from flows.runtime.monitoring import status


def refuse_while_building(uri: str) -> None:
    """Raises EditmillError while a build runs in the catalog, on this machine or another."""
    try:
        found = status.read(uri)
    except EditmillError:  # another version's, or damaged: a build of this one writes a whole one
        return
    if found is not None and status.alive(found):
        raise EditmillError(
            f"{uri}: a build runs in it (on {found.host}, process {found.pid}); wait for its end "
            "or stop it, then run this again"
        )
