"""What `editmill edit` and `judge` refuse before anything is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experts.annotate.detection import detect
from flows.cli import app
from flows.commands.video import arguments
from flows.commands.video import edit as edit_one

HEAVY = ("torch", "sklearn", "onnxruntime", "prefect", "xllamacpp")


@pytest.fixture
def video(write, scene) -> Path:
    return write("in.mp4", scene(6, 96, 128))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "known_labels", lambda: ["car", "cat", "person"])


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ("object_remval", [], "did you mean object_removal?"),
        ("senorita_editor", [], "give --prompt"),
        ("senorita_editor", ["--prompt", "x", "--catalog", "none"], "none: no catalog there"),
        ("deblur", ["--first-frame", "x.png"], "takes no first frame"),
        ("object_removal", ["--mask", "none.mkv"], "none.mkv: cannot be found"),
        ("object_removal", ["--mask", "m.mkv", "--box", "1,2,30,40"], "give one of them"),
        ("colorization", ["--prompt", "red"], "takes no prompt; leave out --prompt"),
        ("colorization", ["--mask", "m.mkv", "--object", "car"], "out --mask and --object"),
        ("global_style_transfer", ["--box", "1,2,30,40"], "no object; leave out --box"),
        ("object_swap", ["--object", "car"], "only a build of several clips finds"),
        ("object_removal", [], "no object given; add --object, --box or --mask"),
        ("object_removal", ["--object", "carr"], "did you mean car"),
        ("object_removal", ["--object", "squirrel"], "it knows: car, cat, person"),
        ("object_removal", ["--box", "1,2,3"], "not four numbers"),
        ("object_removal", ["--box", "1,2,300,40"], "give x from 0 to 128 and y from 0 to 96"),
        ("object_removal", ["--box", "0,0,128,96"], "closely around one object"),
        ("global_style_transfer", ["--prompt", "nice"], "names no look; use one of"),
        ("local_style_transfer", ["--box", "1,2,30,40", "--prompt", "nice"], "names no look"),
    ],
)
def test_arguments_that_cannot_work(refused, known, video, tmp_path, task, options, says):
    told = refused("edit", task, video, "--out", tmp_path / "out.mp4", *options)
    assert says in told


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("in.mp4/out.mp4", "a part of the path is not a folder"),
        ("folder.mp4", "it is a folder; choose another name"),
        pytest.param(
            "/proc/out.mp4",
            "its folder takes no files; choose another",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="of Linux"),
        ),
    ],
)
def test_a_result_that_cannot_be_written(refused, video, tmp_path, monkeypatch, out, says):
    (tmp_path / "folder.mp4").mkdir()
    monkeypatch.setattr(edit_one, "edit", None)  # before anything is made
    assert says in refused("edit", "deblur", video, "--out", tmp_path / out)


def test_the_results_folder_is_made_once_all_else_is_right(refused, video, tmp_path):
    out = tmp_path / "new" / "deep" / "out.mp4"
    told = refused("edit", "global_style_transfer", video, "--out", out, "--prompt", "nice")
    assert "names no look" in told and not (tmp_path / "new").exists()
    arguments.check(arguments.EditArguments("deblur", video, out))
    assert out.parent.is_dir() and not list(out.parent.iterdir())


def test_a_seed_is_no_negative_number(video, tmp_path):
    asked = ["edit", "deblur", str(video), "--out", str(tmp_path / "out.mp4"), "--seed", "-1"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2 and "--seed" in result.stderr


def test_a_label_that_the_detector_knows_passes(known, video, tmp_path):
    arguments.check(
        arguments.EditArguments("object_removal", video, tmp_path / "out.mp4", label="car")
    )


@pytest.mark.weights
def test_the_detectors_labels_are_cocos():
    labels = detect.known_labels()
    assert len(labels) == len(set(labels)) == 80
    assert {"person", "car", "traffic light"} <= set(labels)


def test_judge_checks_its_files_first(refused, video, tmp_path):
    given = ("--task", "deblur", "--instruction", "x")
    assert "cannot be found" in refused("judge", video, tmp_path / "none.mp4", *given)
    assert "task 'debur' is not known" in refused(
        "judge", video, video, "--task", "debur", "--instruction", "x"
    )


def test_early_answers_import_no_model(video: Path):
    commands = [
        ["--help"],
        ["edit", "deblur", "none.mp4", "--out", "o.mp4"],
        ["edit", "object_removal", str(video), "--out", "o.mp4"],
        ["judge", "none.mp4", "none.mp4", "--task", "deblur", "--instruction", "x"],
        ["releases", "--catalog", "none"],
        ["tasks", "--json"],
    ]
    code = (
        "import sys, json\nfrom flows.cli import app\nfound = []\n"
        f"for args in {commands}:\n"
        "    try: app(args)\n    except BaseException: pass\n"
        f"    found.append([m for m in {HEAVY} if m in sys.modules])\n"
        "print(json.dumps(found), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    found = json.loads(ran.stderr.splitlines()[-1])
    assert dict(zip(map(" ".join, commands), found, strict=True)) == {
        " ".join(args): [] for args in commands
    }
