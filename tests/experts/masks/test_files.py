"""Masks in all the ways people store them: read as the one they mean, or refused by name."""

import logging
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import BadInput, EditmillError
from experts.annotate import given_masks
from experts.annotate.detection.detect import Detection
from experts.masks.files import from_images
from experts.masks.packed import MaskTrack

T, H, W = 3, 96, 128


@pytest.fixture
def truth() -> NDArray[np.bool_]:
    """A disc that walks."""
    y, x = np.mgrid[:H, :W]
    return np.stack([(y - 48) ** 2 + (x - 40 - 12 * k) ** 2 <= 24**2 for k in range(T)])


Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def make(images, names: str = "{:05d}.png") -> str:
        folder = tmp_path / "masks"
        folder.mkdir()
        for k, image in enumerate(images):
            if isinstance(image, bytes):
                (folder / names.format(k)).write_bytes(image)
            else:
                assert cv2.imwrite(str(folder / names.format(k)), np.asarray(image))
        return str(folder)

    return make


def palette_png(indices: NDArray[np.uint8], colours: list[tuple[int, int, int]]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    height, width = indices.shape
    rows = b"".join(b"\0" + row.tobytes() for row in indices)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", b"".join(map(bytes, colours)))]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def read(where: str) -> NDArray[np.bool_]:
    return given_masks.read(where, T, H, W)


def refused(where: str, frames: int = T) -> str:
    with pytest.raises(BadInput) as error:
        given_masks.read(where, frames, H, W)
    assert str(error.value).count("\n") == 0
    assert Path(where).name in str(error.value)
    return error.value.reason


WAYS: dict[str, Callable[[NDArray[np.uint8]], object]] = {
    "white": lambda m: m * 255,
    "one": lambda m: m,
    "white of 16 bits": lambda m: m.astype(np.uint16) * 65535,
    "white of 8 bits in 16": lambda m: m.astype(np.uint16) * 255,
    "one of 16 bits": lambda m: m.astype(np.uint16),
    "red": lambda m: np.dstack([0 * m, 0 * m, m * 255]),
    "dark blue": lambda m: np.dstack([m * 64, 0 * m, 0 * m]),
    "alpha alone": lambda m: np.dstack([0 * m, 0 * m, 0 * m, m * 255]),
    "white on nothing": lambda m: np.dstack([m * 255] * 4),
    "opaque": lambda m: np.dstack([m * 255] * 3 + [0 * m + 255]),
    "palette": lambda m: palette_png(m, [(0, 0, 0), (128, 0, 0), (0, 128, 0)]),
    "grey palette, white first": lambda m: palette_png(1 - m, [(255, 255, 255), (0, 0, 0)]),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_object_is_found_however_it_is_drawn(way: str, truth, save: Save):
    np.testing.assert_array_equal(read(save(WAYS[way](m) for m in truth.astype(np.uint8))), truth)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ids_are_one_object_and_that_is_told(dtype, truth, save: Save, caplog):
    left = np.arange(W) < 64
    ids = [np.where(m, np.where(left, 1, 2), 0).astype(dtype) for m in truth]
    with caplog.at_level(logging.WARNING, "editmill"):
        np.testing.assert_array_equal(read(save(ids)), truth)
    assert "ids" in caplog.text


def test_colours_of_many_objects_are_one(truth, save: Save):
    parts = np.arange(W) // 32
    colours = np.array([(0, 0, 64), (0, 128, 0), (64, 0, 0), (192, 128, 0)], np.uint8)
    np.testing.assert_array_equal(
        read(save(np.where(m[..., None], colours[parts], 0).astype(np.uint8) for m in truth)), truth
    )


@pytest.mark.parametrize("names", ["{:05d}.png", "{:05d}.jpg"])
def test_a_soft_edge_is_cut_in_the_middle(names: str, truth, save: Save):
    soft = [cv2.GaussianBlur(m.astype(np.uint8) * 255, (9, 9), 3) for m in truth]
    found = read(save(soft, names))
    assert (found != truth).mean() < 0.01


def test_images_follow_the_numbers_in_their_names(tmp_path: Path):
    folder = tmp_path / "masks"
    folder.mkdir()
    for number in (9, 10, 11):
        image = np.zeros((H, W), np.uint8)
        image[:number] = 255
        cv2.imwrite(str(folder / f"mask_{number}.png"), image)
    (folder / "._mask_1.png").write_bytes(b"\0\x05\x16\x07")
    assert read(str(folder))[:, :, 0].sum(1).tolist() == [9, 10, 11]


UNCLEAR: dict[str, Callable[[NDArray[np.uint8]], object]] = {
    "ids and a white border": lambda m: np.where(cv2.dilate(m, np.ones((5, 5))) > m, 255, m),
    "shades": lambda m: m * np.where(np.arange(W) < 64, 85, 255).astype(np.uint8),
    "dim and soft": lambda m: cv2.GaussianBlur(m * 90, (31, 31), 9),
    "a picture": lambda m: np.random.default_rng(0).integers(40, 200, (H, W), np.uint8),
    "black is no index 0": lambda m: palette_png(m, [(0, 128, 0), (0, 0, 0)]),
    "alpha the other way round": lambda m: np.dstack([m * 255] * 3 + [255 - m * 255]),
    "floats": lambda m: cv2.imencode(".tiff", m.astype(np.float32))[1].tobytes(),
}


@pytest.mark.parametrize("way", UNCLEAR)
def test_what_can_be_read_in_two_ways_is_refused(way: str, truth, save: Save):
    reason = "unclear_image" if way == "floats" else "unclear_mask"
    assert refused(save(UNCLEAR[way](m) for m in truth.astype(np.uint8))) == reason


@pytest.mark.parametrize(("level", "reason"), [(0, "empty_mask"), (255, "full_mask")])
def test_a_mask_of_nothing_or_everything_is_refused(level: int, reason: str, save: Save):
    assert refused(save([np.full((H, W), level, np.uint8)] * T)) == reason


def test_an_empty_frame_among_others_is_fine(truth, save: Save):
    truth[1] = False
    np.testing.assert_array_equal(read(save(truth.astype(np.uint8))), truth)


@pytest.mark.parametrize("count", [T - 1, T + 1])
def test_as_many_masks_as_frames(count: int, truth, save: Save):
    images = np.resize(truth, (count, H, W)).astype(np.uint8)
    assert refused(save(images)) == "mask_length"


def test_masks_of_a_long_video_serve_its_beginning(truth, save: Save):
    where = save(truth.astype(np.uint8))
    np.testing.assert_array_equal(given_masks.read(where, 2, H, W, of=T), truth[:2])


def test_one_image_is_no_mask_of_a_video(truth, save: Save):
    where = save(truth.astype(np.uint8))
    assert refused(f"{where}/00000.png") == "mask_length"


def test_another_shape_is_refused_and_another_size_is_not(truth, save: Save):
    where = save(truth.astype(np.uint8) * 255)
    half = given_masks.read(where, T, H // 2, W // 2)
    assert half.shape == (T, H // 2, W // 2)
    assert half.mean() == pytest.approx(truth.mean(), rel=0.05)
    with pytest.raises(BadInput, match="do not fit"):
        given_masks.read(where, T, W, H)


def test_a_folder_of_no_images(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("masks to come")
    assert refused(str(tmp_path)) == "no_masks"


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv420p"), ("ffv1", "bgr0")])
def test_a_mask_video_lossy_or_not(codec: str, pix_fmt: str, truth, write):
    frames = np.repeat(truth[..., None].astype(np.uint8) * 255, 3, -1)
    found = read(str(write("masks.mkv", frames, codec=codec, pix_fmt=pix_fmt)))
    assert (found != truth).mean() < (0.005 if codec == "libx264" else 1e-9)


def test_a_video_that_is_no_mask_is_refused(write, scene):
    assert refused(str(write("in.mp4", scene(T, H, W)))) == "unclear_mask"


def test_a_mask_the_wrong_way_round_is_told(truth, save: Save, caplog):
    with caplog.at_level(logging.WARNING, "editmill"):
        read(save((~truth).astype(np.uint8) * 255))
    assert "light is" in caplog.text


@pytest.mark.parametrize(
    "names",
    [
        ["0", "1", "2", "4"],  # one is missing
        ["0001", "0002", "00002", "0003"],  # one is there twice
        ["a_1", "a_2", "b_1", "b_2"],  # two objects
        ["1", "2", "left"],
    ],
)
def test_names_that_do_not_count_frames_are_refused(tmp_path, names):
    for name in names:
        cv2.imwrite(str(tmp_path / f"{name}.png"), 255 * np.eye(8, dtype=np.uint8))
    with pytest.raises(BadInput) as caught:
        from_images(tmp_path)
    assert caught.value.reason == "mask_numbers"


@pytest.mark.parametrize(
    "names", [["0", "5", "10"], ["m_01_a", "m_02_a", "m_03_a"], ["b", "a", "c"]]
)
def test_names_that_count_are_read_in_order(tmp_path, names):
    for k, name in enumerate(names):
        image = np.zeros((8, 8), np.uint8)
        image[k] = 255
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    assert len(from_images(tmp_path)) == 3


def test_an_object_that_was_lost_is_told(monkeypatch, caplog, scene):
    frames = scene(6, 64, 80)
    masks = np.zeros(frames.shape[:3], bool)
    masks[:2, 10:30, 10:30] = True
    boxes = np.tile(np.float32([10, 10, 30, 30]), (6, 1))
    found = SimpleNamespace(
        label="object", masks=MaskTrack(masks, masks.shape[1:]), first=0, boxes=boxes
    )
    beside = SimpleNamespace(label="object", masks=None, first=0, boxes=boxes + 30)
    tracker = SimpleNamespace(track=lambda *_: [beside, found])
    monkeypatch.setattr(given_masks, "Tracker", lambda *_, **__: tracker)
    monkeypatch.setattr(given_masks, "loaded", lambda kind: SimpleNamespace(version="1"))
    with caplog.at_level(logging.WARNING, "editmill"):
        np.testing.assert_array_equal(given_masks.from_box(frames, "10,10,30,30", "", 25), masks)
    assert "found in 2 of 6 frames" in caplog.text
    assert caplog.text.rstrip().endswith("give --object or --mask")


class Found:
    """A detector that sees these, in every frame."""

    version = "found"

    def __init__(self, *found: Detection) -> None:
        self.found = found

    def detect(self, frames, phrases=()):
        return [list(self.found) for _ in frames]


@pytest.mark.parametrize("label", ["", "man"])
def test_a_box_is_followed_by_what_the_detector_finds_of_it(monkeypatch, scene, label):
    frames, asked = scene(6, 64, 80), []
    seen = Detection("person", 0.7, (11, 10, 31, 30)), Detection("dog", 0.6, (50, 40, 60, 50))

    def track(detector, *_, **__):
        asked.extend(detector.detect([frame])[0] for frame in frames[:2])
        return SimpleNamespace(track=lambda *_: [])

    monkeypatch.setattr(given_masks, "Tracker", track)
    for found, kind in ((Found(*seen), "person"), (Found(seen[1]), label or "object")):
        asked.clear()
        monkeypatch.setattr(given_masks, "loaded", lambda _, found=found: found)
        with pytest.raises(EditmillError, match="--box 10,10,30,30: nothing in it could be follow"):
            given_masks.from_box(frames, "10,10,30,30", label, 25)
        given = Detection(kind, 1.0, (10, 10, 30, 30))
        assert asked == [[given, seen[1]], list(found.found)]


def test_of_a_label_only_its_like_is_followed_and_all_that_was_seen_is_told(monkeypatch, scene):
    frames, asked = scene(6, 64, 80), []
    car, truck, dog = (Detection(name, 0.7, (1, 1, 9, 9)) for name in ("car", "truck", "dog"))

    def track(detector, *_, **__):
        asked.extend(detector.detect(frames[:1]))
        return SimpleNamespace(track=lambda *_: [])

    monkeypatch.setattr(given_masks, "Tracker", track)
    monkeypatch.setattr(given_masks, "loaded", lambda _: Found(car, truck, dog))
    with pytest.raises(EditmillError, match=r"no such object .*; seen: car, dog, truck; give"):
        given_masks.from_label(frames, "car", 25)
    assert asked == [[car, truck]]  # a truck may be a car that was mistaken in one frame


def test_objects_that_no_track_follows_are_told(monkeypatch, caplog, scene):
    frames = scene(6, 64, 80)
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 10:30, 10:30] = True
    box = (50.0, 10.0, 60.0, 30.0)
    found = [
        SimpleNamespace(label="person", masks=MaskTrack(masks, masks.shape[1:]), rivals=rivals)
        for rivals in [(), ((0, box), (5, box)), ((2, box), (5, box))]  # 2: half-way
    ]
    monkeypatch.setattr(given_masks, "loaded", lambda kind: Found())
    for count in (1, 3):
        tracker = SimpleNamespace(track=lambda *_, few=found[:count]: few)
        monkeypatch.setattr(given_masks, "Tracker", lambda *_, one=tracker, **__: one)
        given_masks.from_label(frames, "person", 25)
    told = [r.message for r in caplog.records if "could be followed" in r.message]
    assert len(told) == 1
    assert told[0].startswith("--object person: at 3 moments more of them")
