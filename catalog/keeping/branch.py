"""Forgetting on the branch of a stopped build what was forgotten on main since (lakeFS).

The next build of the recipe goes on with the branch and merges it into main: without this, what
only the branch holds of a source would appear there although it was forgotten, or even erased.
"""

from __future__ import annotations

from dataclasses import replace

from catalog.keeping.forget import FOLDER, Forgotten, erase, remember, take_out, trace
from catalog.layout import document, parsed
from catalog.storage.location import Storage, Versioned


def forget_as_main_did(branch: Versioned, main: Storage) -> list[Forgotten]:
    """Take out of the branch, and erase there if main did, each source that was forgotten on main
    since the branch took main in last; return these sources.

    Interrupted and called again, it goes on: a source counts as forgotten on the branch from when
    main's own document of it is there.
    """
    done = []
    for key in (each.key for each in main.list(FOLDER)):
        noted, known = document(main, key), document(branch, key)
        if noted is None or noted == known:
            continue
        forgotten = parsed(main, key, Forgotten, noted)
        source = replace(forgotten, erased=False)  # not yet here
        if known is not None:  # an interrupted call noted there what nothing else may name by now
            there = parsed(branch, key, Forgotten, known)
            source.media = [*source.media, *there.media]
        trace(branch, source)
        take_out(branch, source)
        if forgotten.erased:
            erase(branch, source, kept=main.exists)
        remember(branch, forgotten)
        done.append(source)
    if done:
        branch.commit("Forget what main has forgotten", {})
    return done
