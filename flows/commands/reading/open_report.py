"""The report in the browser: `editmill open`."""

from __future__ import annotations

import json
import os
import sys
import webbrowser

import catalog
from catalog.errors import EditmillError
from catalog.keeping.forget import noted
from flows.release.outcome import REPORT


def show(root: str, as_json: bool) -> None:
    """Opens the report where there is a browser, and says where it lies.

    Raises EditmillError where there is no catalog, or no report in it yet.
    """
    storage = catalog.open(root).storage
    report = storage.local(REPORT).resolve()
    if not report.is_file():
        if any(each.erased for each in noted(storage)):
            why = (
                "its report was deleted when a source was erased; the next build writes it anew: "
                "editmill build …"
            )
        else:
            why = (
                "has no report yet; a running build writes it with its first judged pairs, else "
                "start one: editmill build …"
            )
        raise EditmillError(f"{root}: {why} --out {root}")
    opened = _has_screen() and webbrowser.open(report.as_uri())
    if as_json:
        print(json.dumps({"report": str(report), "opened": opened}))
    else:
        print(report if opened else f"{report} (no browser here; open it on a machine with one)")


def _has_screen() -> bool:
    """Whether a browser would get a window: `webbrowser` would start a text browser otherwise, and
    that would take over the terminal. `BROWSER` names one that shall be used all the same."""
    if os.environ.get("BROWSER"):
        return True
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
