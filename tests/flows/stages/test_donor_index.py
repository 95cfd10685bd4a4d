"""The table of clips that swaps are planned by: what it offers to all, and to each shard."""

from collections.abc import Iterator

import pytest

from catalog.records import Clip
from experts.plan.bank import rank
from flows.runtime.shard import Shard
from flows.stages import donor_index
from flows.stages.donor_index import DonorIndex
from flows.stages.recorded import ClipReference


def clip(name: str, source: str, *labels: str) -> ClipReference:
    """A clip with an object of each label."""
    tracks = tuple((f"{name}-{k}", label) for k, label in enumerate(labels))
    cut = Clip(name, source, f"{source}.mp4", "MIT", "media/aa/b.mp4", 0, 33, 25.0, 640, 360)
    return ClipReference(cut, tracks)


FIRST = Shard([clip("a", "s1", "car", "car"), clip("b", "s2", "dog")])
SECOND = Shard([clip("c", "s1", "car"), clip("d", "s3")])


@pytest.fixture
def index() -> Iterator[DonorIndex]:
    with DonorIndex() as opened:
        opened.add(FIRST)
        opened.add(SECOND)
        yield opened


def test_a_shard_comes_back_with_all_clips_of_its_sources(index: DonorIndex) -> None:
    found = list(index.shards())
    assert [(shard, shard.name) for shard, _ in found] == [(s, s.name) for s in (FIRST, SECOND)]
    sources = [[each.clip.clip_id for each in clips] for _, clips in found]
    assert sources == [["a", "c", "b"], ["a", "c", "d"]]


def test_the_first_objects_of_a_label_are_offered_and_no_others_of_their_clips(
    index: DonorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(donor_index, "MAX_PER_LABEL", 2)
    offered = {track for each in index.sample() for track, _ in each.tracks}
    cars = sorted(["a-0", "a-1", "c-0"], key=rank)[:2]
    assert offered == {*cars, "b-0"}
    monkeypatch.setattr(donor_index, "MAX_PER_LABEL", 200)
    assert {each.clip.clip_id: len(each.tracks) for each in index.sample()} == {
        "a": 2,
        "c": 1,
        "b": 1,
    }
