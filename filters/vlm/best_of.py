"""The best of several edits of the same footage by the same instruction.

Judges agree with people more often when they compare two edits than when they grade each alone, so
the edits are compared two by two. A knock-out would hang on its draw where preferences go in
circles, so every two are compared (N·(N−1)/2 comparisons, for the two to four seeds that a build
can afford), and the edit with the most wins less losses is the best. Where several are level, it is
the one of the first seed: a tie must not depend on chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from filters.base import PairFrames
from filters.vlm.judgement import PairJudge


def best_of(attempts: Sequence[Sequence[PairFrames]], judge: PairJudge) -> list[int]:
    """For each edit that was made several times, the index of its best attempt.

    The attempts of an edit are samples of the same footage, task and instruction, in the order of
    their seeds. Raises ValueError for an edit without attempts, EditmillError where the judge
    cannot be had.
    """
    if not all(attempts):
        raise ValueError("an edit without attempts has no best one")
    met = [
        (edit, a, b)
        for edit, made in enumerate(attempts)
        for a, b in itertools.combinations(range(len(made)), 2)
    ]
    preferred = judge.prefer([(attempts[edit][a], attempts[edit][b]) for edit, a, b in met])
    points = [[0] * len(made) for made in attempts]
    for (edit, a, b), better in zip(met, preferred, strict=True):
        points[edit][a] -= better
        points[edit][b] += better
    return [own.index(max(own)) for own in points]
