"""What somebody who looked at the pairs of infra/bench/unseen/run.py said of them.

A line of unseen_labels.jsonl a pair. What was said of the edit holds as long as both videos are the
same, byte for byte (media go by their content's hash), and what was said of the words as long as
the instruction is the same, too. So labels outlive a change that touches other pairs, and say
nothing of pairs that became others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.records import Pair

LABELS = Path(__file__).parents[1] / "results" / "unseen_labels.jsonl"


@dataclass(frozen=True, slots=True)
class Label:
    """`edit`: the target is what the instruction asks for, without faults that one sees in motion.
    `words`: the instruction is true and names what is meant. `why`: what is wrong, or odd."""

    source: str
    task: str
    videos: str  # the hashes of source and target, their first digits
    instruction: str
    edit: bool
    words: bool
    why: str = ""


class Labels:
    """Looks labels up by pair."""

    def __init__(self, labels: Iterable[Label]) -> None:
        every = list(labels)
        self._edits = {(label.task, label.videos): label for label in every}
        self._words = {(label.task, label.videos, label.instruction): label for label in every}

    def right(self, pair: Pair) -> bool | None:
        """Whether the pair should be kept; None where that was not said."""
        key = pair.task, videos(pair)
        edit = self._edits.get(key)
        if edit is None:
            return None
        if not edit.edit:
            return False
        words = self._words.get((*key, pair.instruction))
        return None if words is None else words.words

    def why(self, pair: Pair) -> str:
        """What was said of the pair."""
        label = self._edits.get((pair.task, videos(pair)))
        return "" if label is None else label.why


def videos(pair: Pair) -> str:
    """The two videos by their content, as `Label.videos`."""
    return "-".join(Path(ref).stem[:12] for ref in (pair.source_video, pair.target_video))


def read(path: Path = LABELS) -> Labels:
    """The labels of a file; none where there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return Labels(Label(**json.loads(line)) for line in lines)


def line(label: Label) -> str:
    return json.dumps(asdict(label), ensure_ascii=False)
