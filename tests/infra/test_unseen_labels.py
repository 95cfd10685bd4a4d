"""Labels of pairs: what was said holds as long as what it was said of is the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from catalog.records import Pair
from infra.bench.unseen.labels import Label, line, read, videos


@dataclass(frozen=True)
class Seen:
    """Of a pair, what labels look at."""

    task: str = "object_removal"
    instruction: str = "Remove the dog."
    source_video: str = "media/aa/aaaaaaaaaaaaaaaa.mp4"
    target_video: str = "media/bb/bbbbbbbbbbbbbbbb.mp4"


def _label(seen: Seen, edit: bool = True, words: bool = True) -> Label:
    made = videos(cast(Pair, seen))
    return Label("clip_dog", seen.task, made, seen.instruction, edit, words, "why")


def _right(path: Path, label: Label, seen: Seen) -> bool | None:
    path.write_text(line(label) + "\n", encoding="utf-8")
    return read(path).right(cast(Pair, seen))


def test_a_pair_is_right_where_edit_and_words_are(tmp_path: Path) -> None:
    file, seen = tmp_path / "labels.jsonl", Seen()
    assert read(file).right(cast(Pair, seen)) is None
    assert _right(file, _label(seen), seen) is True
    assert _right(file, _label(seen, edit=False), seen) is False
    assert _right(file, _label(seen, words=False), seen) is False


def test_other_words_are_not_known_and_other_videos_neither(tmp_path: Path) -> None:
    file, seen = tmp_path / "labels.jsonl", Seen()
    said_otherwise = replace(seen, instruction="Take the dog out.")
    assert _right(file, _label(seen), said_otherwise) is None
    assert _right(file, _label(seen, words=False), said_otherwise) is None
    assert _right(file, _label(seen, edit=False), said_otherwise) is False
    made_anew = replace(seen, target_video="media/cc/cccccccccccccccc.mp4")
    assert _right(file, _label(seen, edit=False), made_anew) is None
