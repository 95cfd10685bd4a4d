import json
import os
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import catalog
from catalog import credentials
from catalog.errors import EditmillError
from catalog.keys import digest
from experts.edit.tasks import TASKS
from flows import recipe
from flows.runtime.selection import select

MINIMAL = """
name: tiny
sources: [{kind: folder, path: videos}]
plan: {weights: {deblur: 1}}
"""


def test_every_shipped_recipe_loads() -> None:
    for entry in (files("flows") / "recipes").iterdir():
        assert recipe.load(entry.name.removesuffix(".yaml")).name


def test_embedded_plans_at_least_ten_tasks() -> None:
    weights = recipe.load("embedded").plan.weights
    wanted = {
        "object_removal", "object_addition", "local_style_transfer", "global_style_transfer",
        "object_grounding", "inpainting", "outpainting", "canny_to_video", "hed_detection",
    }  # fmt: skip
    assert wanted <= weights.keys()
    assert len(weights) >= 10
    assert weights.keys() <= TASKS.keys()


def test_defaults_are_the_papers() -> None:
    tiny = recipe.parse(MINIMAL, "tiny")
    assert tiny.clips.max_frames == 500
    assert tiny.filters.quality == 0.6


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("", "seed"),
        ("plan", "edits_per_clip"),
        ("plan", "swaps_per_clip"),
        ("plan", "best_of"),
        ("plan", "frames"),
        ("plan", "shortest_frames"),
        ("plan", "removal_span"),
        ("plan", "long_side"),
        ("plan", "smallest_long_side"),
        ("clips", "per_source"),
        ("clips", "min_frames"),
        ("annotate", "keyframe_seconds"),
        ("annotate", "max_objects"),
        ("run", "threads"),
        ("run", "gpu_memory"),
        ("records", "per_clip"),
        ("records", "images_per_video"),
        ("records", "min_seconds"),
        ("records", "lines"),
    ],
)
def test_numbers_have_bounds(where: str, key: str) -> None:
    values = yaml.safe_load(MINIMAL)
    if where == "records":
        del values["plan"]
    (values.setdefault(where, {}) if where else values)[key] = 10**30
    with pytest.raises(EditmillError, match=rf"`{where}\.?{key}`: .*less than or equal to"):
        recipe.parse(json.dumps(values), "t")


def test_no_network_is_asked_for_thousands_of_threads() -> None:
    with pytest.raises(EditmillError, match=r"`run.threads`: .*less than or equal to 256"):
        recipe.parse(MINIMAL + "run: {threads: 257}\n", "t")


def test_a_task_of_next_to_no_weight_is_refused() -> None:
    with pytest.raises(EditmillError, match=r"deblur has next to no weight; give 0, or at least"):
        recipe.parse(MINIMAL.replace("deblur: 1", "upscaling: 1, deblur: 5.0e-324"), "t")


@pytest.mark.parametrize("key", ["per_build", "limit", "per_source"])
@pytest.mark.parametrize("source", [{"kind": "urls", "files": "l.csv"}, {"kind": "pexels"}])
def test_numbers_of_sources_have_bounds(source: dict[str, object], key: str) -> None:
    values = yaml.safe_load(MINIMAL) | {"sources": [source | {key: 10**30}]}
    with pytest.raises(EditmillError, match=rf"{key}`: .*less than or equal to"):
        recipe.parse(json.dumps(values), "t")


@pytest.mark.parametrize("name", ["nö", "-a", "A", "''"])
def test_a_name_that_is_none_says_what_it_may_be(name: str) -> None:
    with pytest.raises(EditmillError, match=r"`name`: .*a–z, 0–9 and hyphens"):
        recipe.parse(MINIMAL.replace("tiny", name), "t")


def test_run_section_is_no_decision() -> None:
    a = recipe.parse(MINIMAL, "a")
    b = recipe.parse(MINIMAL + "run: {workers: 7}\n", "b")
    assert a.decisions() == b.decisions()


def test_where_and_how_fast_a_model_runs_is_no_decision() -> None:
    def decided(models: str, experts: str = "{}") -> dict[str, object]:
        text = f"{MINIMAL}models: {models}\nexperts: {experts}\n"
        return recipe.parse(text, "t").decisions()

    server = "provider: openai, model: m, base_url: 'http://h/v1'"
    hurried = "timeout: 9, attempts: 2, patience: 3, concurrency: 1, api_key_variable: KEY"
    prices = "price_per_million_input: 1.5, price_per_million_output: 2"
    plain = decided(f"{{write: {{{server}}}}}")
    assert plain == decided(f"{{write: {{{server}, {hurried}, {prices}}}}}")
    assert plain["models"]["write"] == {  # type: ignore[index]
        "provider": "openai", "model": "m", "base_url": "http://h/v1",
    }  # fmt: skip
    assert plain != decided(f"{{write: {{{server.replace('model: m', 'model: n')}}}}}")

    placed = "{detect: {provider: grounding_dino, device: 'cuda:1', batch: 2}}"
    assert decided(placed) == decided("{detect: grounding_dino}")
    exact = "{detect: {provider: grounding_dino, dtype: float32}}"
    assert decided(exact) != decided("{detect: grounding_dino}")

    painters = "{{first_frame: {{object_swap: {{provider: flux2_klein{}}}}}}}"
    editors = "{{object_swap: {{provider: wan_vace{}}}}}"
    offloaded = decided(painters.format(", offload: true"), editors.format(", offload: true"))
    assert offloaded == decided(painters.format(""), editors.format(""))
    assert offloaded != decided(painters.format(""), editors.format(", steps: 9"))


def test_a_recipe_without_models_decides_what_it_did() -> None:
    plain = recipe.parse(MINIMAL, "plain")
    unused = {"run", "models", "experts", "credentials"}
    assert plain.decisions() == plain.model_dump(mode="json", exclude=unused)


def test_credentials_are_on_and_a_line_switches_them_off(tmp_path: Path) -> None:
    on, off = recipe.parse(MINIMAL, "on"), recipe.parse(MINIMAL + "credentials: false\n", "off")
    assert "credentials" not in on.decisions()  # so a selection keeps its name
    assert credentials.wanted(json.dumps(on.decisions()))
    assert not credentials.wanted(json.dumps(off.decisions()))
    dataset = catalog.open(tmp_path / "catalog", create=True)
    assert select(dataset, on).selection.name == select(dataset, off).selection.name  # same rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MINIMAL + "speed: 3\n", "unknown key `speed`"),
        (MINIMAL + "clips: {max_frame: 3}\n", "max_frame` (did you mean `max_frames`?); this "),
        (MINIMAL + "run: {gpu_memory: .inf}\n", "`run.gpu_memory`"),
        (MINIMAL + "clips: {max_frames: 900}\n", "`clips.max_frames`"),
        (MINIMAL.replace("deblur", "debblur"), "no task is called 'debblur'"),
        (MINIMAL.replace("name: tiny", "name: [1"), "not valid YAML"),
        ("- 1\n", "a recipe is a mapping"),
        (MINIMAL.replace("path: videos", "pth: videos"), "sources"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_one_line_that_names_the_place(text: str, says: str) -> None:
    with pytest.raises(EditmillError) as raised:
        recipe.parse(text, "my.yaml")
    message = str(raised.value)
    assert message.startswith("my.yaml: ")
    assert says in message
    assert "\n" not in message


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(EditmillError, match="embedded"):
        recipe.load("embeded")


def test_embedded_leaves_the_depth_tasks_off_and_the_build_says_so() -> None:
    from flows.release.pairs import off_notes

    embedded = recipe.load("embedded")
    off = {task for task, weight in embedded.plan.weights.items() if not weight}
    assert off == {name for name, task in TASKS.items() if task.checkpoint}
    (note,) = off_notes(embedded)
    assert (
        "depth_detection and depth_to_video" in note and "models: {depth: depth_anything}" in note
    )
    assert off_notes(recipe.parse(MINIMAL, "tiny")) == []  # names no such task


def test_a_build_says_of_which_tasks_it_planned_nothing() -> None:
    from catalog.report.summary import TaskLine
    from flows.release.pairs import unplanned_notes

    asked = recipe.parse(
        "name: few\nsources: [{kind: folder, path: v}]\n"
        "plan: {weights: {object_removal: 3, deblur: 1, depth_detection: 0}}",
        "few",
    )
    deblur = TaskLine("deblur", planned=1, made=1, kept=1, rejected={})
    removal = TaskLine("object_removal", planned=1, made=0, kept=0, rejected={"small": 1})
    (note,) = unplanned_notes(asked, [deblur])
    assert note.startswith("Planned for no clip: object_removal. ")
    assert "local_share" not in note  # a lower one makes no more of it
    assert "`editmill objects`" in note
    (note,) = unplanned_notes(asked, [removal])
    assert note.startswith("Planned for no clip: deblur. ")
    assert "a lower `plan.local_share`" in note and "editmill objects" not in note
    assert unplanned_notes(asked, [deblur, removal]) == []


def test_a_folder_whose_name_is_no_utf8_can_be_written_down() -> None:
    folder = recipe.FolderSources(kind="folder", path=Path(os.fsdecode(b"/caf\xe9")))
    written = recipe.load("embedded").model_copy(update={"sources": (folder,)})
    assert "/caf\\\\xe9" in written.model_dump_json()
    assert digest(written.decisions())
    assert written.sources[0].path == folder.path


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "aliases stand for more than"),
        ("a: &a [*a]", "an alias stands for what it lies in"),
        ("a: " + "[" * 20_000, "nested more than 50 deep"),
        ("a: " + "{a: " * 20_000, "nested more than 50 deep"),
        ("name: !!python/object/apply:os.system [id]", "the tag tag:yaml.org,2002:python/object"),
        ("name: !!timestamp x", "the tag"),
        ("seed: 1" + "0" * 5000, "not valid YAML"),
        ("name: 2024-99-99", "not valid YAML"),
        ("name: '" + "a" * 2_000_000 + "'", "characters"),
        (MINIMAL + "seed: .nan", "`seed`"),
        (MINIMAL + "seed: .inf", "`seed`"),
        ("name: '\u202egnp.eval'", "`name`"),
        ('name: "\\e[2J\\0"', "`name`"),
        (MINIMAL + "n" + "a" * 1000 + ": 1", "unknown key"),
        (MINIMAL + "1: 2", "1"),
    ],
)
def test_a_hostile_recipe_is_refused_in_one_short_line(text: str, said: str) -> None:
    with pytest.raises(EditmillError) as caught:
        recipe.parse(text, "hostile.yaml")
    message = str(caught.value)
    assert said in message and message.startswith("hostile.yaml: ")
    assert message.isprintable() and len(message) < 1500


def test_anchors_stay_allowed() -> None:
    text = MINIMAL.replace("{deblur: 1}", "&w {deblur: 1}") + "x: &y 2\nrun: {workers: *y}\n"
    assert recipe.parse(text.replace("x: &y 2\n", "seed: &y 2\n"), "a").run.workers == 2


def test_a_recipe_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(EditmillError, match="can't be read"):
        recipe.load(str(path))
