"""The registry: complete rows, lazy and shared experts."""

import subprocess
import sys

import pytest

from catalog.errors import EditmillError
from catalog.records import PAIR_TASKS
from experts.edit.tasks import TASKS, expert_for, task_named


def test_the_issues_ten_and_more_are_there() -> None:
    required = {
        "object_removal",
        "object_addition",
        "local_style_transfer",
        "global_style_transfer",
        "object_grounding",
        "inpainting",
        "outpainting",
        "canny_to_video",
        "hed_detection",
    }
    assert required <= TASKS.keys()
    assert len(TASKS) >= 10
    assert all(name == task.name for name, task in TASKS.items())


def test_readers_of_a_catalog_know_every_task() -> None:
    assert set(PAIR_TASKS) == set(TASKS)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("object_removal", (336, 592, 33)),
        ("object_swap", (336, 592, 33)),
        ("local_style_transfer", (336, 592, 33)),
        ("inpainting", (1280, 1984, 64)),
        ("object_grounding", (1120, 1984, 64)),
        ("deblur", (1120, 1984, 64)),
    ],
)
def test_sizes_are_the_papers(name: str, size: tuple[int, int, int]) -> None:
    task = TASKS[name]
    assert (task.height, task.width, task.frames) == size


def test_what_is_generated_lies_on_the_stated_side() -> None:
    made_source = {name for name, task in TASKS.items() if task.made_side == "source"}
    assert made_source == {
        "object_addition",
        "object_swap",
        "inpainting",
        "outpainting",
        "canny_to_video",
        "hed_to_video",
        "fake_scribble_to_video",
        "depth_to_video",
        "colorization",
        "deblur",
        "upscaling",
    }


def test_alignment_is_measured_where_the_paper_measures_it() -> None:
    measured = {name for name, task in TASKS.items() if task.alignment}
    assert measured == {
        "object_addition",
        "object_swap",
        "local_style_transfer",
        "global_style_transfer",
    }


def test_raw_phrases() -> None:
    assert TASKS["object_removal"].raw("the dog") == "Remove the dog"
    assert TASKS["object_swap"].raw("a car", other="the bus") == "Swap the bus for a car"
    assert TASKS["inpainting"].raw(caption="two people and a bus") == "inpaint two people and a bus"
    assert TASKS["inpainting"].raw() == "inpaint"


def test_tasks_of_one_class_share_one_expert() -> None:
    assert expert_for("hed_detection") is expert_for(TASKS["hed_to_video"])
    assert expert_for("fake_scribble_detection") is expert_for("fake_scribble_to_video")
    assert expert_for("inpainting") is not expert_for("outpainting")


def test_an_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(EditmillError, match=r"object_swop.*object_removal"):
        task_named("object_swop")


def test_the_registry_imports_no_expert() -> None:
    code = (
        "import sys, experts.edit.tasks;"
        "print([m for m in sys.modules if m.startswith('experts.edit.') and 'tasks' not in m])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
