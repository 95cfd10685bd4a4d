"""Which objects lend their masks to a clip's deletions."""

from catalog.records import Clip, Track
from experts.annotate.clip import AnnotatedClip
from experts.local_edits.donors import deletions, images
from experts.local_edits.rules import Records
from flows.stages.local_edits.mask_index import MaskIndex, lend

RULES = Records(per_clip=4, images_per_video=1)
WANTED = deletions(4, RULES) + deletions(images(RULES), RULES)
FRAMES = 30


def clip(number: int, source: int, score: float = 0.9) -> AnnotatedClip:
    """A clip with one car, in the middle in each frame but the first five."""
    boxes = [0.0] * 20 + [200.0, 100.0, 300.0, 200.0] * (FRAMES - 5)
    name = f"clip-{number}"
    cut = Clip(name, f"s{source}", "v.mp4", "MIT", "media/aa/b.mp4", 0, FRAMES, 10.0, 640, 360)
    sure = [0.95] * FRAMES
    track = Track(
        f"car-{number}", name, "car", score, "media/aa/c.mkv", 5, FRAMES - 1, sure, 0.05, boxes
    )
    return AnnotatedClip(cut, [track])


def donors(clips: list[AnnotatedClip]) -> dict[str, list[str]]:
    return {each.clip.clip_id: list(each.donors) for each in lend(clips, RULES, 7)}


def test_a_clip_borrows_of_other_sources_and_of_each_object_once() -> None:
    found = lend([clip(n, n // 2) for n in range(20)], RULES, 7)
    assert WANTED == 2
    for each in found:
        assert len(each.donors) == WANTED
        assert all(one.clip.source_id != each.clip.source_id for one in each.donors.values())
        assert {(one.first, one.frames) for one in each.donors.values()} == {(5, FRAMES - 5)}


def test_all_that_there_are_lend_where_they_are_few_and_doubtful_ones_never() -> None:
    assert donors([clip(0, 0), clip(1, 1), clip(2, 0, score=0.1)]) == {
        "clip-0": ["car-1"],
        "clip-1": ["car-0"],
        "clip-2": ["car-1"],
    }
    assert donors([clip(0, 0), clip(1, 0)]) == {"clip-0": [], "clip-1": []}


def test_the_order_does_not_matter_and_more_footage_changes_few_choices() -> None:
    clips = [clip(n, n) for n in range(200)]
    before = donors(clips[:180])
    assert donors(clips[179::-1]) == before
    after = donors(clips)
    changed = sum(before[name] != after[name] for name in before)
    assert 0 < changed < 60  # a choice changes with 20 in 200, and each clip has two
    lent = {track for tracks in after.values() for track in tracks}
    assert len(lent) > 100  # and not always the same ones


def test_a_clip_is_given_by_reference_with_those_that_lend_to_it() -> None:
    with MaskIndex(RULES, 7) as index:
        index.add([clip(0, 0), clip(1, 1)])
        index.add([clip(2, 2)])
        assert len(index) == 3
        first, *_ = index.clips()
    names = [each.clip.clip_id for each in first.references]
    assert names[0] == first.clip.clip_id == "clip-0" and sorted(names[1:]) == ["clip-1", "clip-2"]
