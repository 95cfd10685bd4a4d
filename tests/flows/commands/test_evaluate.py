"""Evaluating: pairs with known truth, a tiny catalog, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import catalog
from catalog import media
from catalog.errors import BadInput, EditmillError
from catalog.records import Pair, from_row, schema
from experts.annotate.motion.flow import consistent, flow
from experts.edit.style.temporal import motion, step_error, warp_error
from filters.metrics import METRICS
from filters.metrics import pair as measuring
from filters.metrics.pair import Instruments, Subject, measure
from filters.metrics.published import PUBLISHED, beside
from filters.metrics.similarity import ImageEmbeddings
from flows.cli import app
from flows.commands.reading.evaluate import EvaluationReport, evaluate_catalog, evaluate_pair, show
from tests.parts import by_key

FRAMES, HEIGHT, WIDTH = 12, 96, 160
SPEED = 2  # px per frame


class Fake:
    """An encoder whose vectors are known: a frame's mean colour; any text is pure red."""

    name = "mean colour"
    version = "1"

    def __init__(self, is_clip: bool = False) -> None:
        self.is_clip = is_clip

    def load(self) -> None:
        pass

    def images(self, frames) -> ImageEmbeddings:
        rows = np.stack([f.reshape(-1, 3).mean(axis=0) for f in frames]).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return ImageEmbeddings(rows, rows)

    def texts(self, texts) -> np.ndarray:
        return np.array([[1, 0, 0]] * len(texts), np.float32)


def instruments(is_clip: bool = False) -> Instruments:
    """Without LPIPS, which has tests of its own."""
    tools = Instruments(Fake(is_clip))
    tools.lpips, tools.without_lpips = None, "left out of this test"
    return tools


def square_over_noise() -> np.ndarray:
    """A textured square that moves SPEED px a frame over a still texture."""
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 120, (HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
    ground = ground.repeat(4, 0).repeat(4, 1)
    square = rng.integers(150, 220, (10, 10, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    frames = np.repeat(ground[None], FRAMES, axis=0)
    for t in range(FRAMES):
        frames[t, 20:60, 40 + SPEED * t : 80 + SPEED * t] = square
    return frames


def masks() -> np.ndarray:
    found = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t in range(FRAMES):
        found[t, 20:60, 40 + SPEED * t : 80 + SPEED * t] = True
    return found


def reader(found: np.ndarray):
    return lambda frames, height, width: lambda first, count: found[first : first + count]


def lossless(path: Path, frames: np.ndarray) -> Path:
    """FFV1 in RGB: what is read is what was written."""
    import av

    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "bgr0"
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_ewarp_of_a_known_flow_is_the_square_of_the_flicker() -> None:
    """Along the true motion a moving square has no error, and one that grows brighter by d levels
    each frame has (d / 255)²."""
    source = square_over_noise()
    ahead = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    ahead[20:60, 40:80, 0] = SPEED  # of frame 0's square
    seen = np.ones((HEIGHT, WIDTH), bool)
    seen[20:60, 80 : 80 + SPEED] = False  # hidden by the square in frame 1
    assert step_error(source[0], source[1], ahead, seen) == pytest.approx(0)
    brighter = source[1] + np.uint8(5)
    by_hand = 1e3 * (5 / 255) ** 2
    assert step_error(source[0], brighter, ahead, seen) == pytest.approx(by_hand, rel=1e-5)
    assert step_error(source[0], brighter, ahead, np.zeros_like(seen)) is None


def test_a_pair_of_known_truth(tmp_path: Path) -> None:
    source = square_over_noise()
    target = source + np.uint8(6)  # outside: MSE 36
    target[masks()] = (200, 0, 0)
    pair = Subject(
        lossless(tmp_path / "a.mkv", source),
        lossless(tmp_path / "b.mkv", target),
        prompt="red",
        mask_reader=reader(masks()),
    )
    found = measure(pair, instruments())
    assert (found.frames, found.height, found.width) == (FRAMES, HEIGHT, WIDTH)
    values = found.values
    assert set(values) == set(METRICS)
    assert values["mse"] == pytest.approx(36) and values["bp"] == pytest.approx(6)
    assert values["psnr"] == pytest.approx(32.568, abs=1e-3)  # 10 lg (255² / 36)
    assert 0.9 < values["ssim"] < 1
    red = target.reshape(FRAMES, -1, 3).mean(axis=1)
    cosine = (red / np.linalg.norm(red, axis=1, keepdims=True))[:, 0].mean()
    assert values["clip_score"] == pytest.approx(cosine, abs=1e-5)
    assert values["ta"] == pytest.approx(100, abs=1e-3)  # the region is pure red
    assert values["tc"] == pytest.approx(100 * values["temporal_consistency"])
    assert values["temporal_consistency"] == pytest.approx(1, abs=1e-4)
    assert found.reasons == {"lpips": "left out of this test"}


def test_ewarp_block_by_block_is_warp_error(tmp_path: Path) -> None:
    assert FRAMES > measuring.BLOCK  # so that a step lies between two blocks
    source = square_over_noise()
    flicker = np.clip(
        source.astype(int) + np.random.default_rng(1).integers(-20, 20, (FRAMES, 1, 1, 1)), 0, 255
    ).astype(np.uint8)
    paths = lossless(tmp_path / "a.mkv", source), lossless(tmp_path / "b.mkv", flicker)
    along_source = measure(Subject(*paths), instruments()).values["ewarp"]
    assert along_source == pytest.approx(warp_error(flicker, motion(source)), rel=1e-6)
    own = measure(Subject(*paths, task="object_removal"), instruments()).values["ewarp"]
    assert own == pytest.approx(warp_error(flicker, motion(flicker)), rel=1e-6)
    still = measure(Subject(paths[0], paths[0]), instruments()).values["ewarp"]
    assert still < 0.5 < along_source
    ahead, back = flow(source[0], source[1]), flow(source[1], source[0])
    assert consistent(ahead, back).mean() > 0.8


def test_the_made_side_flickers_and_the_target_shows_the_prompt(tmp_path: Path) -> None:
    real = square_over_noise()
    made = real.copy()
    made[::2] //= 2
    made[..., 0] //= 4
    paths = lossless(tmp_path / "made.mkv", made), lossless(tmp_path / "real.mkv", real)
    pair = Subject(*paths, "object_addition", "source", "red", reader(masks()))
    values = measure(pair, instruments()).values
    assert values["ewarp"] > 5
    assert values["clip_score"] > 0.5  # the target's; the made side has hardly any red


def test_what_has_no_meaning_is_not_measured(tmp_path: Path) -> None:
    clip = lossless(tmp_path / "a.mkv", square_over_noise())
    alone = measure(Subject(clip, clip), instruments())
    assert alone.reasons["mse"] == "no mask" and alone.values["psnr"] is None
    assert alone.reasons["ta"] == alone.reasons["clip_score"] == "no target prompt"
    maps = measure(Subject(clip, clip, "hed_detection", mask_reader=reader(masks())), instruments())
    assert all(value is None for value in maps.values.values())
    assert "no footage" in maps.reasons["ewarp"] and "every pixel" in maps.reasons["ssim"]
    everywhere = measure(
        Subject(clip, clip, mask_reader=reader(np.ones_like(masks()))), instruments()
    )
    assert everywhere.reasons["mse"] == "nothing to measure in any frame"
    nowhere = measure(
        Subject(clip, clip, prompt="red", mask_reader=reader(np.zeros_like(masks()))),
        instruments(),
    )
    assert nowhere.values["ta"] is None and nowhere.values["ssim"] == pytest.approx(1)
    one = lossless(tmp_path / "one.mkv", square_over_noise()[:1])
    assert measure(Subject(one, one), instruments()).reasons["tc"] == "a single frame"


def test_a_large_pair_is_measured_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LONG_SIDE", 80)
    clip = lossless(tmp_path / "a.mkv", square_over_noise())
    found = measure(Subject(clip, clip), instruments())
    assert (found.height, found.width) == (48, 80)


def test_sides_that_do_not_belong_together(tmp_path: Path) -> None:
    clip = square_over_noise()
    whole = lossless(tmp_path / "a.mkv", clip)
    for name, other, reason in (
        ("b.mkv", clip[:-1], "length_mismatch"),
        ("c.mkv", clip[:, :, :96], "shape_mismatch"),
    ):
        with pytest.raises(BadInput) as caught:
            measure(Subject(whole, lossless(tmp_path / name, other)), instruments())
        assert caught.value.reason == reason and "\n" not in str(caught.value)


def test_a_stand_in_never_stands_beside_a_published_figure() -> None:
    for task, figures in PUBLISHED.items():
        for metric in figures:
            by_clip = not METRICS[metric].by_encoder
            stands = bool(beside(task, metric, by_clip=by_clip, made="target"))
            assert stands != METRICS[metric].by_encoder
    assert beside("object_swap", "ewarp", by_clip=True, made="source")
    assert not beside("object_swap", "clip_score", by_clip=True, made="source")


# --- the command ---------------------------------------------------------------------------------


def _pair(name: str, **changed: object) -> Pair:
    """A kept removal with empty fields."""
    empty = {"String": "", "Int64": 0, "Float64": None, "Boolean": True}
    row = {k: empty.get(str(t), []) for k, t in schema(Pair).items()}
    row |= {"params": "{}", "filter_versions": "{}", "vlm_why": "{}"}
    row |= {"source_fps": 25.0, "target_fps": 25.0, "pair_id": name}
    return replace(from_row(Pair, row), task="object_removal", generated_side="target", **changed)


@pytest.fixture(scope="module")
def tiny_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three kept removals, one of them without its file, and a rejected one."""
    root = tmp_path_factory.mktemp("set")
    made = catalog.open(root, create=True)
    source = square_over_noise()
    target = source.copy()
    target[masks()] = 90
    refs = []
    for frames in (source, target):
        with made.media.writing(".mp4") as draft:
            media.write_video(draft.path, frames, 25)
        refs.append(draft.ref)
    with made.media.writing(".mkv") as draft:
        media.write_masks(draft.path, masks(), 25)
    files = {"source_video": refs[0], "target_video": refs[1], "mask": draft.ref}
    lost = f"media/ab/{'ab' * 32}.mp4"
    made.tables.put(
        "pairs",
        by_key(
            [
                _pair("p1", **files),
                _pair("p2", **files),
                _pair("p3", **files | {"target_video": lost}),
                replace(_pair("p4", **files), keep=False),
            ]
        ),
    )
    made.release("v1", "")
    return root


@pytest.mark.weights
def test_a_catalog_through_the_command(tiny_catalog: Path) -> None:
    args = ["evaluate", str(tiny_catalog), "--ref", "v1", "--json"]
    done = CliRunner().invoke(app, args, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [row["pair_id"] for row in told["pairs"]] == ["p1", "p2"]
    assert list(told["failures"]) == ["p3"] and told["encoder"]["is_clip"] is False
    removal = told["tasks"]["object_removal"]
    assert list(removal) == list(METRICS)
    assert removal["psnr"]["pairs"] == 2 and removal["psnr"]["mean"] > 30
    assert removal["lpips"]["mean"] < 0.05
    assert removal["ewarp"]["published"]["Señorita-2M's expert"] == 4.21
    assert removal["clip_score"] == {
        "mean": None, "pairs": 0, "reason": "no target prompt", "published": {}
    }  # fmt: skip
    assert removal["temporal_consistency"]["mean"] and not removal["tc"]["published"]


@pytest.mark.weights
def test_the_table_says_what_is_a_stand_in_and_what_was_not_measured(
    tiny_catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from io import StringIO

    from rich.console import Console

    report = evaluate_catalog(tiny_catalog, task="object_removal", limit=1)
    assert isinstance(report, EvaluationReport) and len(report.pairs) == 1
    console = Console(file=StringIO(), width=120)
    show(report, console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "object_removal (1 pair, made side: target)" in told
    assert "temporal consistency (stand-in) ↑" in told and "0.9864" not in told
    assert "4.21 Señorita-2M's expert" in told
    assert "not measured, no target prompt: CLIPScore, VIVID TA" in told
    assert "docs/evaluate.md" in told


@pytest.mark.weights
def test_one_pair_with_a_mask_of_the_users(tiny_catalog: Path) -> None:
    rows = catalog.open(tiny_catalog).pairs().collect().to_dicts()
    files = [tiny_catalog / rows[0][k] for k in ("source_video", "target_video", "mask")]
    report = evaluate_pair(files[0], files[1], mask=str(files[2]), prompt="a grey wall")
    summary = report.document()["tasks"]["edit"]
    assert all(row["mean"] is not None for row in summary.values())
    assert not summary["clip_score"]["published"] and summary["ewarp"]["published"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["{out}/nowhere"], "is not a catalog"),
        (["{set}", "--ref", "v9"], "no ref 'v9'"),
        (["{set}", "--task", "object_remval"], "is not known"),
        (["{set}", "--task", "deblur"], "no kept pairs of deblur"),
        (["--source", "{out}/a.mp4"], "both --source and --target"),
        (["{set}", "--source", "a.mp4", "--target", "b.mp4"], "not both"),
        (["--source", "{out}/a.mp4", "--target", "{out}/b.mp4"], "a.mp4"),
        (["{set}", "--prompt", "red"], "go with --source"),
        (["{set}", "--clip", "{set}"], "no CLIP .open_clip_config.json"),
    ],
)
def test_what_cannot_be_is_one_line(
    tiny_catalog: Path, tmp_path: Path, args: list[str], told: str
) -> None:
    filled = [arg.format(set=tiny_catalog, out=tmp_path) for arg in args]
    if told.startswith("no CLIP"):
        pytest.importorskip("open_clip")
    with pytest.raises(EditmillError, match=told) as caught:
        CliRunner().invoke(app, ["evaluate", *filled], catch_exceptions=False)
    assert "\n" not in str(caught.value)
