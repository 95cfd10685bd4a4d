"""Which of the models that a recipe can choose have their library here; nothing is imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections import defaultdict
from collections.abc import Callable

from experts.providers import Provider, providers, slots
from flows.commands.machine.check import SetupCheck


def check_libraries(
    has: Callable[[str], bool] = lambda library: importlib.util.find_spec(library) is not None,
) -> SetupCheck:
    """The providers beside the embedded ones. `has` says whether a library is installed."""
    needing = [p for slot in slots() for p in providers(slot).values() if p.needs.library]
    lacking: dict[str, list[Provider]] = defaultdict(list)
    for each in needing:
        if not has(each.needs.library):
            lacking[each.needs.library].append(each)
    here = {p.needs.library: p.needs.package or p.needs.library for p in needing}
    versions = [
        f"{library} {importlib.metadata.version(package)}"
        for library, package in sorted(here.items())
        if library not in lacking
    ]
    count = len(needing) - sum(map(len, lacking.values()))
    found = f"{count} of {len(needing)} beside the embedded: {', '.join(versions) or 'no library'}"
    if not lacking:
        return SetupCheck("models to choose", "ok", found)
    names = ", ".join(f"{p.slot}: {p.name}" for own in lacking.values() for p in own)
    extras = ",".join(sorted({p.needs.extra or "gpu" for own in lacking.values() for p in own}))
    return SetupCheck(
        "models to choose",
        "warn",
        f"{found}; not installed: {', '.join(sorted(lacking))}",
        f"recipes that choose these are refused: {names}",
        f"in the checkout: pip install -e '.[{extras}]'",
    )
