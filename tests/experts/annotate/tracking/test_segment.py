import cv2
import numpy as np
import pytest

from experts.annotate.tracking.segment import Embedding, Segmenter
from experts.masks.geometry import box_of, dilate, iou

pytestmark = pytest.mark.weights

HEIGHT, WIDTH = 240, 320
Scene = tuple[np.ndarray, dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A disc and a bar on soft noise, and their masks."""
    noise = np.random.default_rng(0).random((HEIGHT, WIDTH, 3)).astype(np.float32)
    frame = (cv2.GaussianBlur(noise, (0, 0), 3) * 120).astype(np.uint8)
    disc = np.zeros((HEIGHT, WIDTH), np.uint8)
    bar = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(disc, (90, 110), 48, 1, -1)
    cv2.rectangle(bar, (190, 60), (280, 200), 1, -1)
    frame[disc > 0] = (220, 60, 40)
    frame[bar > 0] = (60, 90, 230)
    return frame, {"disc": disc > 0, "bar": bar > 0}


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter()


@pytest.fixture(scope="module")
def embedding(scene: Scene, segmenter: Segmenter) -> Embedding:
    return segmenter.encode(scene[0])


@pytest.mark.parametrize("name", ["disc", "bar"])
def test_a_box_gives_the_mask_of_what_it_holds(
    name: str, scene: Scene, segmenter: Segmenter, embedding: Embedding
) -> None:
    truth = scene[1][name]
    box = box_of(truth)
    assert box is not None
    mask, predicted = segmenter.decode(embedding, box)
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.dtype == np.bool_
    assert iou(mask, truth) > 0.93
    assert 0.8 < predicted <= 1


def test_a_tall_picture_has_as_good_masks(scene: Scene, segmenter: Segmenter) -> None:
    truth = np.ascontiguousarray(scene[1]["disc"].T)
    box = box_of(truth)
    assert box is not None
    embedding = segmenter.encode(np.ascontiguousarray(scene[0].transpose(1, 0, 2)))
    assert iou(segmenter.decode(embedding, box)[0], truth) > 0.93


def test_a_loose_box_still_finds_the_object(
    scene: Scene, segmenter: Segmenter, embedding: Embedding
) -> None:
    mask, _ = segmenter.decode(embedding, (34, 52, 148, 166))
    assert iou(mask, scene[1]["disc"]) > 0.9


def test_a_prior_says_which_of_two_objects_is_meant(
    scene: Scene, segmenter: Segmenter, embedding: Embedding
) -> None:
    both = (40.0, 58.0, 284.0, 204.0)
    for name in ("disc", "bar"):
        truth = scene[1][name]
        mask, _ = segmenter.decode(embedding, both, prior=dilate(truth, -3))
        assert iou(mask, truth) > 0.85


def test_a_rough_prior_is_corrected_by_the_image(
    scene: Scene, segmenter: Segmenter, embedding: Embedding
) -> None:
    truth = scene[1]["disc"]
    rough = np.roll(truth, (6, -7), (0, 1))
    box = box_of(truth)
    assert box is not None
    mask, _ = segmenter.decode(embedding, box, prior=rough)
    assert iou(mask, truth) > max(0.9, iou(rough, truth))


def test_the_same_frame_gives_the_same_mask(
    scene: Scene, segmenter: Segmenter, embedding: Embedding
) -> None:
    box = (42.0, 62.0, 139.0, 159.0)
    again = segmenter.encode(scene[0])
    one, other = segmenter.decode(embedding, box), segmenter.decode(again, box)
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]


def test_close_frees_and_the_next_call_loads_again(scene: Scene, segmenter: Segmenter) -> None:
    segmenter.close()
    segmenter.load()
    assert segmenter.encode(scene[0]).image_embed.shape == (1, 64, 64, 256)


def test_where_nothing_is_segmented_the_encoder_stays_closed(monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("opened")

    segmenter = Segmenter()
    monkeypatch.setattr(segmenter, "open_encoder", refuse)
    segmenter.load()
    with pytest.raises(AssertionError, match="opened"):
        segmenter.encode(np.zeros((8, 8, 3), np.uint8))
