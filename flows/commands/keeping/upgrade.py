"""`editmill upgrade`."""

from __future__ import annotations

import dataclasses
import json

from catalog.keeping.upgrade import Upgrade, upgrade
from catalog.layout import FORMAT
from flows.runtime.idle import refuse_while_building


def main(uri: str, *, as_json: bool) -> None:
    """Upgrades the catalog at `uri` and says what was done.

    Raises EditmillError where there is none, where it is damaged, and while a build runs in it.
    """
    refuse_while_building(uri)
    done = upgrade(uri)
    if as_json:
        print(json.dumps({**dataclasses.asdict(done), "format": FORMAT}))
    else:
        print(_said(uri, done))


def _said(uri: str, done: Upgrade) -> str:
    if done.before == FORMAT:
        return f"{uri}: has catalog format {FORMAT} already; nothing is to be done"
    return (
        f"{uri}: from catalog format {done.before} to {FORMAT}\n"
        f"Releases: {', '.join(done.releases) or 'none'}; they and main show what they showed\n"
        f"Trained experts: {', '.join(done.trained) or 'none'}\n"
        f"Products that the next build reuses: {done.products}"
    )
