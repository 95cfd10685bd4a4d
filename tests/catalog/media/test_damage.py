"""Whatever is wrong with a file's bytes, reading it ends in frames or in one BadInput."""

import random

import pytest

from catalog.errors import BadInput
from catalog.media import iter_frames, probe


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes with some changed, cut off, cut out or doubled."""
    changed = bytearray(data)
    at = rng.randrange(len(data) if rng.random() < 0.5 else min(1000, len(data)))
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.choice([1, 3, 20])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    elif kind == 1:
        del changed[at:]
    elif kind == 2:
        del changed[at : at + rng.randrange(1, 2000)]
    else:
        changed[at:at] = data[: rng.randrange(1, 2000)]
    return bytes(changed)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_any_damage_is_told_in_one_line(write, scene, name):
    path = write(name, scene(20, 64, 80), options={"g": "8"})
    whole = path.read_bytes()
    rng = random.Random(name)
    for _ in range(25):
        path.write_bytes(damaged(whole, rng))
        try:
            info = probe(path)
            frames = list(iter_frames(path))
            assert len(frames) == info.frames
            assert all(f.shape == (info.height, info.width, 3) for f in frames)
        except BadInput as error:
            assert error.reason
            assert "\n" not in str(error)
