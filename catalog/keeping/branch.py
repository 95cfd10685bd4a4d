"""Forgetting on the branch of a stopped build what was forgotten on main since (lakeFS).

The next build of the recipe goes on with the branch and merges it into main: without this, what
only the branch holds of a source would appear there although it was forgotten, or even erased.
"""

from __future__ import annotations

from catalog.keeping.forget import FOLDER, Forgotten, erase, take_out, trace
from catalog.layout import document, parsed
from catalog.storage.location import Storage, Versioned


def forget_as_main_did(branch: Versioned, main: Storage) -> list[Forgotten]:
    """Take out of the branch, and erase there if main did, each source that was forgotten on main
    since the branch took main in last; return these sources.

    Interrupted and called again, it goes on: a source counts as forgotten on the branch from when
    main's own document of it is there.
    """
    known = {each.key: branch.read(each.key) for each in branch.list(FOLDER)}
    done = []
    for key in (each.key for each in main.list(FOLDER)):
        noted = main.read(key)
        if noted is None or noted == known.get(key):
            continue
        source = parsed(main, key, Forgotten, document(main, key) or {})
        erasing, source.erased = source.erased, False  # not yet here
        if key in known:  # an interrupted call noted there what nothing else may name by now
            source.media += parsed(branch, key, Forgotten, document(branch, key) or {}).media
        trace(branch, source)
        take_out(branch, source)
        if erasing:
            erase(branch, source, kept=main.exists)
        branch.write(key, noted)
        done.append(source)
    if done:
        branch.commit("Forget what main has forgotten", {})
    return done
