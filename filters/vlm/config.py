"""The judge that a recipe asks for."""

from __future__ import annotations

from experts.providers import Choice, chosen
from filters.vlm.judge import VlmJudge
from filters.vlm.judgement import PairJudge
from filters.vlm.rules import Vlm


def judge_for(choice: Choice | None, rules: Vlm) -> PairJudge | None:
    """`models.judge` as a judge by the rules of `filters.vlm`, not loaded yet; None where the
    recipe names none. A provider that answers questions is asked ours; one that judges by itself is
    taken as it is."""
    if choice is None:
        return None
    model = chosen(choice, frames=rules.frames, max_pixels=rules.max_pixels)
    if hasattr(model, "judgements"):  # isinstance of a protocol would read the version
        judge: PairJudge = model
        return judge
    return VlmJudge(
        model,
        frames=rules.frames,
        max_pixels=rules.max_pixels,
        attempts=rules.attempts,
        max_tokens=rules.max_tokens,
    )
