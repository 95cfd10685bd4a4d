"""The index finds what comparing with each would."""

import errno
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import EditmillError
from filters.footage.duplicates import (
    DuplicateIndex,
    Fingerprint,
    FrameHash,
    Matcher,
    segment,
)
from filters.footage.duplicates.match import FingerprintColumns


def random_set(seed: int, nearest: int) -> list[Fingerprint]:
    """Videos of which many share frames, with up to `nearest` + 3 bits turned."""
    rng = np.random.default_rng(seed)

    def number() -> int:
        return int.from_bytes(rng.bytes(8), "big")

    def turned(code: int, most: int) -> int:
        for bit in rng.choice(64, rng.integers(0, most + 1), replace=False).tolist():
            code ^= 1 << bit
        return code

    originals = [[(number(), number()) for _ in range(8)] for _ in range(6)]
    made = []
    for _ in range(40):
        frames = originals[rng.integers(6)][rng.integers(4) :]
        turns, masks = rng.integers(0, nearest + 4), rng.integers(0, 20)
        rows = [
            FrameHash(500 * k, turned(code, int(turns)), turned(mask, int(masks)), 0)
            for k, (code, mask) in enumerate(frames)
        ]
        made.append(Fingerprint(f"{number():016x}", tuple(rows)))
    return made


@pytest.mark.parametrize("nearest", [0, 1, 6, 9, 12])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_index_finds_what_brute_force_finds(nearest: int, seed: int) -> None:
    matcher = Matcher(nearest=nearest)
    videos = random_set(seed, nearest)
    # So that videos lie in large segments, in small ones and in none.
    index = DuplicateIndex(matcher, small=20, large=4)
    found_some = 0
    for number, video in enumerate(videos):
        expected = {
            str(k): score
            for k, other in enumerate(videos[:number])
            if (score := matcher.score(video, other)) >= matcher.threshold
        }
        found = index.find(video)
        assert dict(found) == expected
        assert [score for _, score in found] == sorted(expected.values(), reverse=True)
        found_some += bool(found)
        index.add(str(number), video)
    assert 0 < found_some < len(videos)


def test_hashes_with_exactly_as_many_bits_turned_are_found() -> None:
    """Wherever the bits lie: in any bands, all in one, or one more than may be."""
    matcher = Matcher()
    rng = np.random.default_rng(0)
    code, masks = 0x0123456789ABCDEF, (0xFF, 0xFF00, 0xFF0000, 0xFF)
    index = DuplicateIndex(matcher)

    def video(code: int) -> Fingerprint:
        return Fingerprint(
            f"{code}", tuple(FrameHash(500 * k, code, m, 0) for k, m in enumerate(masks))
        )

    index.add("it", video(code))
    for count in (matcher.nearest, matcher.nearest + 1):
        for _ in range(200):
            turns = rng.choice(64, count, replace=False)
            asked = video(code ^ sum(1 << int(bit) for bit in turns))
            assert bool(index.find(asked)) == (count == matcher.nearest)


def test_even_videos_are_found_by_their_digest_alone() -> None:
    index = DuplicateIndex()
    for name, digest in (("black", "0"), ("white", "1"), ("black too", "0")):
        index.add(name, Fingerprint(digest, ()))
    assert index.find(Fingerprint("0", ())) == [("black", 1.0), ("black too", 1.0)]
    assert index.find(Fingerprint("2", ())) == []
    assert len(index) == 3


def test_a_bounded_number_of_samples_is_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos of one fixed camera: each sample is near to every other."""
    compared: list[int] = []

    def ranges(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        compared.append(int(counts.sum()))
        return found(first, counts)

    found = segment._ranges
    monkeypatch.setattr(segment, "_ranges", ranges)
    monkeypatch.setattr(segment, "AT_ONCE", 100)
    videos = [
        Fingerprint(str(n), tuple(FrameHash(500 * k, 1 << k, 0, 0) for k in range(20)))
        for n in range(10)
    ]
    index = DuplicateIndex(small=200)
    for video in videos:
        index.add(video.digest, video)
    assert [id for id, _ in index.find(videos[0])] == [video.digest for video in videos]
    assert max(compared) <= 100 + 200  # and those of one hash


def test_videos_without_samples_do_not_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[int] = []

    class Noted(segment.Segment):
        def __init__(self, videos: Sequence[FingerprintColumns], bands: segment.Bands) -> None:
            stored.append(len(videos))
            super().__init__(videos, bands)

    monkeypatch.setattr("filters.footage.duplicates.index.Segment", Noted)
    index = DuplicateIndex(small=3)
    for n in range(7):
        index.add(str(n), Fingerprint(str(n), ()))
    seen = Fingerprint("seen", (FrameHash(0, 1, 0, 0),) * 2)
    index.add("seen", seen)
    assert stored == [3, 3]
    assert index.find(Fingerprint("5", ())) == [("5", 1.0)]
    assert index.find(seen) == [("seen", 1.0)]


def test_a_full_disk_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(segment.tempfile, "TemporaryFile", full)
    index = DuplicateIndex(small=1)
    with pytest.raises(EditmillError, match=r"^temporary files: .*No space left.* TMPDIR$"):
        index.add("it", Fingerprint("0", (FrameHash(0, 1, 0, 0),)))


def test_a_mirrored_copy_is_found(scene) -> None:
    index = DuplicateIndex()
    index.add("other", scene(2).fingerprint())
    index.add("it", scene(1).fingerprint())
    (found,) = index.find(scene(1).fingerprint(change=lambda frame: frame[:, ::-1]))
    assert found[0] == "it"
    assert found[1] > 0.9
