"""What a judge says of a pair, and the verdicts that follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from catalog.errors import BadInput
from catalog.records import VLM_SCORES
from experts.base import Model
from filters.base import NOT_MEASURED, PairFrames, Verdict

LOWEST, HIGHEST = 1, 5
"""Of the scale of each graded dimension; 5 is the best."""

GRADED = ("instruction", "preservation", "render")
"""Whether the edit does what the instruction says, leaves the rest as it was, and looks real.
Apart, since a single score hides which of them failed (VEFX-Bench, arXiv 2604.16272, Sec. 4)."""

CHECKED = ("motion", "order")
"""Whether the instruction agrees with the motion seen, and whether source and target stand in the
instruction's order. 1 for yes, 0 for no."""

BEST = "best"
"""Whether it is the best of several attempts at an edit: 1 for yes, 0 for no."""

REASONS: Mapping[str, str] = {
    "instruction": "not_followed",
    "preservation": "rest_changed",
    "render": "bad_render",
    "motion": "motion_contradiction",
    "order": "swapped",
    BEST: "not_best",
}
"""Why a pair is rejected, by what its score lies too low of."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Scores by their names in GRADED (1–5) and CHECKED (0 or 1); `why` has a sentence for each
    that was explained. Without scores, `reason` says why (`not_measured` or `abstained`)."""

    scores: Mapping[str, float] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON has it: `Judgement(**document)` is the same."""
        return dataclasses.asdict(self)


@runtime_checkable
class PairJudge(Model, Protocol):
    """A model that judges edits. Same pairs, same machine: same judgements."""

    def judgements(self, samples: Sequence[PairFrames]) -> Sequence[Judgement | BadInput]:
        """One per sample, in order; BadInput for one that cannot be judged now. Raises
        EditmillError where the model cannot be had."""
        ...

    def prefer(self, candidates: Sequence[tuple[PairFrames, PairFrames]]) -> list[int]:
        """Which of two edits of the same footage by the same instruction is better, for each two:
        −1 the first, 1 the second, 0 where they tie or the model cannot tell. Raises BadInput where
        it gives no answer."""
        ...


def verdicts(judgement: Judgement) -> dict[str, Verdict]:
    """By the name in `catalog.records.VLM_SCORES`. All keep: a policy's thresholds decide
    (`filters.vlm.rules.Vlm.cuts`)."""
    found = {}
    for name in VLM_SCORES:
        score = judgement.scores.get(name.removeprefix("vlm_"))
        reason = (judgement.reason or NOT_MEASURED) if score is None else ""
        found[name] = Verdict(True, score, reason)
    return found
