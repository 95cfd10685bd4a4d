"""How well a judge tells good edits from the same edits broken on purpose.

    python infra/bench/judging/vlm_judge.py --judge '{provider: openai, …}' [--pairs 40]
    python infra/bench/judging/vlm_judge.py --scripted  # shows that it runs, no more

Good edits and breakages are those that the quality filter learns from (filters.quality.training),
of footage that is fetched. Printed per dimension: AUC of good against broken, and how often the
good version of an edit has a higher score than its broken one (ties count half); the same where
the two are compared directly, also per breakage. Broken on purpose is not failed by nature, and an
instruction says no more than the task: the figures rank judges and prompts, and do not say how far
one agrees with people.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from experts.edit.tasks import TASKS
from experts.memory import using
from experts.providers.choice import choice_of
from experts.weights import fetch
from filters.base import ABSTAINED, PairFrames
from filters.quality.training.good_edits import GoodEdits
from filters.quality.training.training_set import with_broken
from filters.roc import auc
from filters.vlm.config import judge_for
from filters.vlm.judgement import GRADED, Judgement, PairJudge
from filters.vlm.rules import Vlm

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from tests.filters.vlm.vision_server import Videos, vision_server  # noqa: E402

CLIPS = ("clip_pedestrians", "clip_bikes")

Case = tuple[str, PairFrames, PairFrames]
"""A breakage, an edit, and the same edit so broken."""


def cases(count: int, seed: int) -> list[Case]:
    """As many edits of each clip, every breakage as often as any other."""
    rng = np.random.default_rng(seed)
    queue: list[str] = []
    found: list[Case] = []
    windows = -(-count // (4 * len(CLIPS)))  # each gives five edits or six
    edits = GoodEdits(windows).pairs([(name, fetch(name)) for name in CLIPS], seed)
    for _, pair in edits:
        (_, good), *broken = with_broken(_told(pair), rng, queue, broken_per_good=1)
        found += [(kind, good, worse) for kind, worse in broken]
    picked = rng.permutation(len(found))[:count]
    return [found[i] for i in picked]


def _told(pair: PairFrames) -> PairFrames:
    """With an instruction: these edits do not keep what their experts were asked for."""
    said = TASKS[pair.task].raw(label="the object", prompt="in another look")
    return dataclasses.replace(pair, instruction=f"{said}.")


def report(found: Sequence[Case], judge: PairJudge) -> None:
    """Asks the judge about both versions of every edit, and prints what comes of it."""
    start = time.perf_counter()
    with using(judge):
        good = _said(judge, [good for _, good, _ in found])
        broken = _said(judge, [worse for _, _, worse in found])
        preferred = judge.prefer([(good, worse) for _, good, worse in found])
    seconds = time.perf_counter() - start
    silent = sum(not said.scores for said in (*good, *broken))
    print(f"{judge.name} {judge.version}: {len(found)} edits, good and broken, {seconds:.0f} s")
    print(f"not judged: {silent} of {2 * len(found)}")
    print(f"{'':<14}{'AUC':>7}{'pairwise':>10}{'pairs':>7}")
    for name in (*GRADED, "mean"):
        a, b = _both(good, broken, name)
        print(f"{name:<14}{auc(a, b):>7.3f}{_won(a, b):>10.3f}{len(a):>7}")
    compared = (1 - np.asarray(preferred)) / 2
    print(f"{'compared':<14}{'':>7}{compared.mean():>10.3f}{len(compared):>7}")
    by_kind: dict[str, list[float]] = defaultdict(list)
    for (kind, _, _), won in zip(found, compared, strict=True):
        by_kind[kind].append(float(won))
    for kind, won in sorted(by_kind.items()):
        print(f"  {kind:<18}{np.mean(won):>6.3f} of {len(won)}")


def _said(judge: PairJudge, samples: Sequence[PairFrames]) -> list[Judgement]:
    """The judgements; one without scores where the judge gave none."""
    judged = judge.judgements(samples)
    return [each if isinstance(each, Judgement) else Judgement(reason=ABSTAINED) for each in judged]


def _both(
    good: Sequence[Judgement], broken: Sequence[Judgement], name: str
) -> tuple[list[float], list[float]]:
    """The scores of both versions, where both have one."""
    both = [(_score(g, name), _score(b, name)) for g, b in zip(good, broken, strict=True)]
    known = [(g, b) for g, b in both if g is not None and b is not None]
    return [g for g, _ in known], [b for _, b in known]


def _score(judgement: Judgement, name: str) -> float | None:
    if name != "mean":
        return judgement.scores.get(name)
    scores = [judgement.scores[each] for each in GRADED if each in judgement.scores]
    return float(np.mean(scores)) if scores else None


def _won(good: Sequence[float], broken: Sequence[float]) -> float:
    won = [1.0 if g > b else 0.5 if g == b else 0.0 for g, b in zip(good, broken, strict=True)]
    return float(np.mean(won)) if won else float("nan")


def _by_steadiness(text: str, videos: Videos) -> str:
    """A script in the place of a model: grades by how little neighbouring frames differ."""
    jumps = [float(np.abs(np.diff(np.asarray(v, np.float32), axis=0)).mean()) for v in videos]
    if len(videos) == 3:
        better = "A" if jumps[1] < jumps[2] else "B" if jumps[2] < jumps[1] else "tie"
        return json.dumps({"reason": "It is steadier.", "better": better})
    grade = int(np.clip(5 - max(jumps) // 8, 1, 5))
    graded: dict[str, Any] = {n: {"reason": "How steady it is.", "score": grade} for n in GRADED}
    return json.dumps({**graded, "contradicts_motion": False, "swapped": False})


@contextmanager
def _scripted() -> Iterator[PairJudge]:
    with vision_server(_by_steadiness) as address:
        yield _made({"provider": "openai", "base_url": address, "model": "scripted"})


def _made(choice: Any) -> PairJudge:
    judge = judge_for(choice_of("judge", choice), Vlm())
    assert judge is not None
    return judge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--judge", type=yaml.safe_load, help="as in a recipe's `models.judge`")
    which.add_argument("--scripted", action="store_true", help="a server that answers by script")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = cases(options.pairs, options.seed)
    if options.scripted:
        with _scripted() as judge:
            report(found, judge)
    else:
        report(found, _made(options.judge))


if __name__ == "__main__":
    main()
