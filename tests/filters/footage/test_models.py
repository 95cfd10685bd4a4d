"""The networks: text, overlays found with it, faces, NSFW."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from catalog.errors import EditmillError
from experts.weights import fetch
from filters.footage import nsfw
from filters.footage.faces import FaceDetector
from filters.footage.models import FootageModels, FrameModel, models_for
from filters.footage.nsfw import CheckpointNsfw, OpenNsfw
from filters.footage.rules import FootageRules, refusal
from filters.footage.text import TextDetector

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def text() -> TextDetector:
    detector = TextDetector()
    detector.load()
    return detector


def written(frame: np.ndarray, words: str, at: tuple[int, int], scale: float = 1.0) -> np.ndarray:
    made = frame.copy()
    cv2.putText(made, words, at, 0, scale, (0, 0, 0), 5, cv2.LINE_AA)
    return cv2.putText(made, words, at, 0, scale, (255, 255, 255), 2, cv2.LINE_AA)


@pytest.mark.parametrize("model", [TextDetector, FaceDetector, OpenNsfw])
def test_every_model_keeps_the_contract(model: type, pan) -> None:
    made = model()
    assert isinstance(made, FrameModel)
    first = made.look(pan[:2])
    made.close()
    assert made.look(pan[:2]) == first
    assert all(0 <= value <= 1 for value in first.values())
    assert json.loads(json.dumps(first)) == first
    made.close()


def test_text_is_found_where_it_is(text: TextDetector) -> None:
    plain = cv2.resize(data.chelsea(), (480, 270))
    assert text.look(plain[None])["text_area"] == 0
    lines = text.lines(written(plain, "every frame counts", (90, 200)))
    box = np.zeros_like(lines)
    box[175:212, 85:400] = True
    assert (lines & box).sum() / (lines | box).sum() > 0.6


def test_a_page_of_text_is_refused_and_a_sign_is_not(text: TextDetector, pan, measure) -> None:
    sign = [written(f, "BAKERY", (400 - 30 * k, 60), 0.7) for k, f in enumerate(pan[:12])]
    assert refusal(measure(sign, FootageModels(text=text)), FootageRules(), 480, 270, 6) is None
    card = []
    for frame in pan[:12]:
        for row in range(5):
            frame = written(frame, "a quote that fills it", (30, 50 + 50 * row), 1.1)
        card.append(frame)
    found = refusal(
        measure(card, FootageModels(text=text)), FootageRules(watermark=None), 480, 270, 6
    )
    assert found is not None
    assert found[0] == "text_heavy"


def blended(frames: np.ndarray, words: str, opacity: float) -> list[np.ndarray]:
    return [
        cv2.addWeighted(written(f, words, (270, 240), 0.9), opacity, f, 1 - opacity, 0)
        for f in frames
    ]


@pytest.mark.parametrize("opacity", [1.0, 0.4])
def test_a_watermark_over_moving_pictures(opacity: float, text: TextDetector, pan, measure) -> None:
    models = FootageModels(text=text)
    measures = measure(blended(pan, "stock clips", opacity), models)
    found = refusal(measures, FootageRules(), 480, 270, 10)
    assert found is not None
    assert found[0] == "watermark"
    assert 0.01 < measures["overlay_area"] < 0.1
    assert measure(pan, models)["overlay_area"] == 0


def test_a_clock_counts_though_it_changes(text: TextDetector, pan, measure) -> None:
    frames = [written(f, f"2024-05-17 14:31:{k:02}", (20, 30), 0.7) for k, f in enumerate(pan)]
    assert measure(frames, FootageModels(text=text))["overlay_area"] >= FootageRules().watermark


def test_a_logo_without_letters(text: TextDetector, pan, measure) -> None:
    frames = pan.copy()
    for frame in frames:
        cv2.circle(frame, (430, 40), 18, (250, 250, 250), 6, cv2.LINE_AA)
    measures = measure(frames, FootageModels(text=text))
    assert FootageRules().watermark <= measures["overlay_area"] < 0.03


def test_a_sign_in_the_scene_is_no_overlay(text: TextDetector, wide, measure) -> None:
    """It moves with the scene; and before a fixed camera nothing moves around it."""
    scene = written(wide, "BAKERY", (500, 200), 1.2)
    panned = [scene[100 : 370, 12 * k + 250 : 12 * k + 730] for k in range(20)]  # fmt: skip
    assert measure(panned, FootageModels(text=text))["overlay_area"] == 0
    fixed = []
    for k in range(20):
        frame = scene[100:370, 400:880].copy()
        cv2.circle(frame, (20 * k, 220), 30, (200, 30, 30), -1)
        fixed.append(frame)
    assert measure(fixed, FootageModels(text=text)).get("overlay_area", 0) == 0


def test_a_bonnet_and_bars_are_no_overlay(text: TextDetector, pan, measure) -> None:
    frames = pan.copy()
    for frame in frames:
        cv2.ellipse(frame, (240, 330), (300, 110), 0, 0, 360, (30, 30, 40), -1, cv2.LINE_AA)
        frame[:36] = 0
    assert measure(frames, FootageModels(text=text))["overlay_area"] == 0


def test_a_rock_in_the_waves_is_no_overlay(text: TextDetector, pan, measure) -> None:
    """It stands still where all else moves, as a logo does, but it has texture."""
    rock = cv2.resize(data.coffee(), (80, 52), interpolation=cv2.INTER_AREA)
    mask = np.zeros((52, 80), np.float32)
    cv2.ellipse(mask, (40, 26), (36, 22), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
    frames = pan.copy()
    frames[:, 150:202, 200:280] = frames[:, 150:202, 200:280] * (1 - mask) + rock * mask
    assert measure(frames, FootageModels(text=text))["overlay_area"] == 0


def test_an_object_that_fills_the_picture_is_no_letter(text: TextDetector) -> None:
    ring = np.full((270, 480, 3), 200, np.uint8)
    cv2.circle(ring, (240, 135), 60, (30, 30, 30), 14, cv2.LINE_AA)
    assert text.look(ring[None])["text_area"] == 0


def test_a_face_is_seen_and_a_cat_is_none() -> None:
    faces = FaceDetector()
    portrait, cat = data.astronaut(), data.chelsea()
    assert faces.look(portrait[None]) == {"face_share": 1.0}
    assert faces.look(cat[None]) == {"face_share": 0.0}
    small = np.full((270, 480, 3), 90, np.uint8)
    small[80:208, 300:428] = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    assert faces.look(small[None]) == {"face_share": 1.0}


def test_harmless_footage_is_safe_for_work() -> None:
    frames = np.stack([cv2.resize(f, (480, 270)) for f in (data.chelsea(), data.coffee())])
    assert OpenNsfw().look(frames)["nsfw"] < 0.2


def test_models_are_those_that_the_rules_need(monkeypatch) -> None:
    monkeypatch.delenv(nsfw.VARIABLE, raising=False)
    assert models_for(FootageRules(text=None, watermark=None)).used == ()
    assert [m.name for m in models_for(FootageRules()).used] == ["text"]
    assert [m.name for m in models_for(FootageRules(text=None)).used] == ["text"]
    everything = models_for(FootageRules(nsfw=True, faces=True))
    assert [m.name for m in everything.used] == ["text", "faces", "open_nsfw"]
    assert models_for(FootageRules()).version != everything.version
    for model in everything.used:
        assert all(fetch(slot).is_file() for slot in model.slots)


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A tiny ViT in transformers' own layout whose bias makes it say `nsfw`."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=32, patch_size=16, id2label={0: "normal", 1: "nsfw"},
        label2id={"normal": 0, "nsfw": 1},
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config)
    model.classifier.weight.data.zero_()
    model.classifier.bias.data[:] = __import__("torch").tensor([0.0, 3.0])
    model.save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    return tmp_path


def test_a_classifier_of_the_users_serves(classifier: Path, pan, measure, monkeypatch) -> None:
    monkeypatch.setenv(nsfw.VARIABLE, str(classifier))
    models = models_for(FootageRules(text=None, watermark=None, nsfw=True))
    assert isinstance(models.nsfw, CheckpointNsfw)
    measures = measure(pan[:8], models)
    assert measures["nsfw"] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-3)
    found = refusal(measures, FootageRules(nsfw=True), 480, 270, 4)
    assert found is not None
    assert found[0] == "nsfw"
    assert "transformers" in models.version


def test_a_classifier_that_cannot_serve_is_one_line(classifier: Path, pan) -> None:
    config = json.loads((classifier / "config.json").read_text())
    config["id2label"] = {"0": "cat", "1": "dog"}
    (classifier / "config.json").write_text(json.dumps(config))
    with pytest.raises(EditmillError, match=f"none of its classes.*set {nsfw.VARIABLE}"):
        CheckpointNsfw(str(classifier)).look(pan[:1])
    (classifier / "model.safetensors").unlink()
    with pytest.raises(EditmillError, match=r"model\.safetensors missing"):
        CheckpointNsfw(str(classifier)).look(pan[:1])
    with pytest.raises(EditmillError, match="neither a folder here"):
        CheckpointNsfw("Falconsai/nsfw_image_detection").look(pan[:1])
