"""`editmill init`, `tasks` and `build --dry-run`: from footage to a recipe to an estimate."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

import catalog
from catalog.errors import BadInput
from catalog.keeping.forget import Forgotten, remember
from catalog.records import Failure, Source, failure_id
from experts import weights
from experts.annotate.detection.detect import Detection
from experts.edit.tasks import TASKS
from experts.plan.draw import quotas
from experts.plan.rules import Planning
from flows.commands.making import footage
from flows.commands.making.estimate import costs
from flows.commands.making.footage import Objects, Sighting, probed
from flows.commands.making.init import _clock, recipe_name
from flows.commands.making.recipe_text import OF_CLIPS, OF_OBJECTS, recipe_text
from flows.commands.making.tasks import MADE
from flows.recipe import load, parse
from flows.runtime.monitoring.status import FILE, Status
from flows.sources.source import SourceFile


@pytest.fixture
def folder(write, scene, tmp_path: Path) -> Path:
    """Two videos of different length, one broken and one of camera raw."""
    write("long.mp4", scene(150, 96, 160))
    write("short.mp4", scene(40, 64, 96))
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "raw.r3d").write_bytes(b"raw")
    return tmp_path


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch):
    """`detector({frame width: [labels]})`: stands in for the network; frames it saw are counted.
    Scores are .9 but for those that are given, by label."""

    def install(labels: dict[int, list[str]], scores: dict[str, float] | None = None) -> list[int]:
        seen: list[int] = []

        class Stub:
            def __init__(self, threshold: float) -> None:
                assert threshold == Planning.model_fields["min_score"].default

            def load(self) -> None: ...

            def close(self) -> None: ...

            def detect(self, frames, phrases=()):
                seen.extend(f.shape[1] for f in frames)
                found = [
                    Detection(n, (scores or {}).get(n, 0.9), (0, 0, 9, 9))
                    for n in labels[frames[0].shape[1]]
                ]
                return [found for _ in frames]

        monkeypatch.setattr("experts.annotate.detection.detect.Detector", Stub)
        return seen

    return install


def test_init_writes_a_recipe_for_what_it_saw(editmill, detector, folder: Path, tmp_path: Path):
    seen = detector({160: ["car", "person"], 96: ["car"]})
    out = tmp_path / "my.yaml"
    told = json.loads(editmill("init", folder, "--out", out, "--json"))
    assert sorted(seen) == [96] * 3 + [160] * 3
    assert [v["frames"] for v in told["videos"]] == [150, 40]
    assert told["objects"] == {
        "looked_at": 2,
        "videos": {"car": 2, "person": 1},
        "doubtful": {},
    }
    assert len(told["refused"]) == 2 and "camera raw" in " ".join(told["refused"])
    recipe = load(str(out))
    (source,) = recipe.sources
    assert source.labels == ("car", "person") and Path(source.path) == folder  # type: ignore[union-attr]
    assert recipe.clips.max_frames == 64 and recipe.clips.per_source is None
    assert recipe.plan.weights["object_removal"] == load("embedded").plan.weights["object_removal"]
    assert quotas(recipe.plan) == quotas(load("embedded").plan)
    assert "at most, by weight; a task again only for another object" in out.read_text()
    for line in out.read_text().splitlines():
        assert len(line) <= 100 or "path:" in line


def test_a_label_of_one_video_alone_and_of_no_high_score_is_named(
    editmill, detector, folder: Path, tmp_path: Path
):
    detector({160: ["car", "frisbee"], 96: ["car"]}, {"frisbee": 0.79, "car": 0.7})
    said = editmill("init", folder, "--out", tmp_path / "my.yaml")
    assert "frisbee in long.mp4 alone, with a score of 0.79: is it one?" in said
    text = (tmp_path / "my.yaml").read_text()
    assert "    # frisbee: in long.mp4 alone, with a score of 0.79; is it one?\n" in text
    assert "car in long" not in said + text  # both videos have cars
    assert parse(text, "x").sources[0].labels == ("car",)  # what is in doubt is left out
    hostile = Objects(2, {"frisbee": 1}, {"frisbee": Sighting("a\nplan: 1" + 90 * "x", 0.7)})
    found = probed([SourceFile(folder / "long.mp4", n, n, "") for n in ("a", "b")])
    recipe = recipe_text("x", folder, found, hostile)
    assert parse(recipe, "x").plan == parse(text, "x").plan
    assert all(len(line) <= 100 or "path:" in line for line in recipe.splitlines())


def test_a_label_of_the_only_video_is_not_called_doubtful(detector, folder: Path):
    detector({160: ["frisbee"]}, {"frisbee": 0.7})
    found = probed([SourceFile(folder / "long.mp4", "a", "a", "")])
    objects = footage.objects_in(found.videos, Planning.model_fields["min_score"].default)
    assert objects == Objects(1, {"frisbee": 1})


def test_every_setting_is_explained(editmill, detector, folder: Path, tmp_path: Path):
    detector({160: [], 96: []})
    editmill("init", folder, "--out", tmp_path / "my.yaml")
    lines = (tmp_path / "my.yaml").read_text().splitlines()
    bare = ("name:", "sources:", "- kind:", "path:", "clips:", "annotate:", "plan:", "weights:",
            "run:")  # fmt: skip
    silent = [line for line in lines if line.strip() and "#" not in line]
    assert all(line.strip().startswith(bare) for line in silent), silent
    assert {*OF_OBJECTS, *OF_CLIPS} == {t.name for t in TASKS.values() if not t.checkpoint}


def test_without_objects_the_tasks_that_need_one_are_off(editmill, detector, folder, tmp_path):
    detector({160: [], 96: []})
    said = editmill("init", folder, "--out", tmp_path / "my.yaml")
    assert "No object was seen in any of 2 videos" in said
    plan = load(str(tmp_path / "my.yaml")).plan
    assert {t for t, w in plan.weights.items() if w and TASKS[t].needs_track} == set()
    assert plan.weights["deblur"] > 0
    assert quotas(plan) == (0, 6)


def test_labels_are_only_left_out_after_a_look_at_every_video(folder: Path):
    found = probed([SourceFile(folder / "long.mp4", n, n, "") for n in ("a", "b", "c")])
    partly = recipe_text("x", folder, found, Objects(2, {"traffic light": 1}))
    assert parse(partly, "x").sources[0].labels is None and '# labels: ["traffic light"]' in partly
    wholly = recipe_text("x", folder, found, Objects(3, {"traffic light": 1}))
    assert parse(wholly, "x").sources[0].labels == ("traffic light",)


def test_only_some_videos_are_looked_at(monkeypatch, detector, folder: Path):
    seen = detector({160: ["car"]})
    found = probed([SourceFile(folder / "long.mp4", str(k), str(k), "") for k in range(30)])
    objects = footage.objects_in(found.videos, Planning.model_fields["min_score"].default)
    assert objects == Objects(footage.LOOKED_AT, {"car": footage.LOOKED_AT})
    assert len(seen) == footage.LOOKED_AT * footage.FRAMES_EACH


def test_a_video_that_is_damaged_further_on_is_passed_over(monkeypatch, detector, folder: Path):
    detector({160: ["car"]})
    found = probed([SourceFile(folder / "long.mp4", n, n, "") for n in ("a", "b")])
    whole, tries = footage.media.sample_frames, []

    def sample_frames(*args):
        tries.append(args)
        if len(tries) == 1:
            raise BadInput("corrupt_video", "damaged")
        return whole(*args)

    monkeypatch.setattr(footage.media, "sample_frames", sample_frames)
    assert footage.objects_in(found.videos, Planning.model_fields["min_score"].default) == Objects(
        1, {"car": 1}
    )


def test_the_recipe_fits_the_footage(write, scene, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("EDITMILL_DEPTH", raising=False)
    short = SourceFile(write("short.mp4", scene(20, 64, 96)), "s", "s", "")
    large = SourceFile(write("large.mp4", scene(40, 720, 1440)), "l", "l", "")
    little = parse(recipe_text("x", tmp_path, probed([short]), Objects(1)), "x")
    assert (little.clips.min_frames, little.clips.max_frames) == (20, 33)
    assert little.plan.long_side is None and not little.plan.weights["depth_detection"]
    text = recipe_text("x", tmp_path, probed([large] * 40), Objects(1))
    assert parse(text, "x").plan.long_side == 1280 and parse(text, "x").clips.per_source is None
    assert "at up to\n  # 1264×720" in text or "1280×" in text
    long = SourceFile(write("long.mp4", scene(1300, 64, 96)), "g", "g", "")
    many = parse(recipe_text("x", tmp_path, probed([long] * 3), Objects(1)), "x")
    assert many.clips.per_source == 5
    monkeypatch.setenv("EDITMILL_DEPTH", "somewhere")
    assert parse(recipe_text("x", tmp_path, probed([large]), Objects(1)), "x").plan.weights[
        "depth_detection"
    ]


def test_keyframes_of_mixed_rates_are_told_as_a_range(folder: Path):
    one = probed([SourceFile(folder / "long.mp4", "l", "l", "")])
    (video,) = one.videos
    fast = dataclasses.replace(video, info=dataclasses.replace(video.info, fps=50.0))
    mixed = dataclasses.replace(one, videos=[video, video, fast])
    assert "looked for every 21 frames" in recipe_text("x", folder, one, Objects(1))
    assert "looked for every 21 to 42 frames" in recipe_text("x", folder, mixed, Objects(1))


@pytest.mark.parametrize(("seconds", "told"), [(27, "27 s"), (87, "1:27 min"), (3727, "1:02:07 h")])
def test_a_length_is_told_with_its_unit(seconds: float, told: str):
    assert _clock(seconds) == told


def test_init_refuses_in_one_line(refused, detector, folder: Path, tmp_path: Path):
    out = tmp_path / "there.yaml"
    out.write_text("mine")
    assert "--force" in refused("init", folder, "--out", out)
    assert out.read_text() == "mine"
    assert "name it *.yaml" in refused("init", folder, "--out", tmp_path / "x.txt")
    assert "not a folder" in refused("init", tmp_path / "none", "--out", tmp_path / "y.yaml")
    (tmp_path / "empty").mkdir()
    assert "no video in it" in refused("init", tmp_path / "empty", "--out", tmp_path / "y.yaml")
    (tmp_path / "empty" / "x.mp4").write_text("no")
    assert "no video of 1 can be read" in refused(
        "init", tmp_path / "empty", "--out", tmp_path / "y.yaml"
    )
    assert not (tmp_path / "y.yaml").exists()


def test_force_replaces(editmill, detector, folder: Path, tmp_path: Path):
    detector({160: [], 96: []})
    (tmp_path / "my.yaml").write_text("old")
    editmill("init", folder, "--out", tmp_path / "my.yaml", "--force")
    load(str(tmp_path / "my.yaml"))


def test_a_single_frame_is_no_video(write, scene):
    names = {"v.mp4": 40, "still.mp4": 1}
    files = [SourceFile(write(n, scene(k, 64, 96)), n, n, "") for n, k in names.items()]
    found = probed(files)
    assert [video.file.name for video in found.videos] == ["v.mp4"]
    assert "still.mp4: a single frame" in found.refused[0]


@pytest.mark.parametrize("name", ["Ferien & Söhne: 2024 'x'", "  ", "#1", "on", "😀"])
def test_any_folder_name_can_be_held(name: str, write, scene, tmp_path: Path):
    found = probed([SourceFile(write("v.mp4", scene(40, 64, 96)), "v", "v", "")])
    recipe = parse(
        recipe_text(recipe_name(tmp_path / name), tmp_path / name, found, Objects(1)), "x"
    )
    assert recipe.sources[0].path == tmp_path / name  # type: ignore[union-attr]


def test_every_task_is_listed_with_what_it_makes(editmill, monkeypatch):
    monkeypatch.delenv("EDITMILL_DEPTH", raising=False)
    assert set(MADE) == set(TASKS)
    rows = {row["task"]: row for row in json.loads(editmill("tasks", "--json"))}
    assert list(rows) == list(TASKS) and len(rows) == 18
    for name, row in rows.items():
        made, real = TASKS[name].made_side, {"source", "target"} - {TASKS[name].made_side}
        assert row[made] == MADE[name] and row[real.pop()] == "footage"
        assert bool(row["needs"]) == (TASKS[name].needs_track or bool(TASKS[name].checkpoint))
    off = {name for name, row in rows.items() if not row["on"]}
    assert off == {"depth_detection", "depth_to_video"}
    assert all("depth: depth_anything" in rows[name]["why"] for name in off)
    shown = editmill("tasks")
    assert all(name in shown for name in TASKS)


def test_tasks_follow_the_recipe(editmill, tmp_path: Path, monkeypatch):
    path = tmp_path / "r.yaml"
    text = "name: x\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1, %s: %s}}\n"
    path.write_text(text % ("depth_detection", 1))
    monkeypatch.delenv("EDITMILL_DEPTH", raising=False)
    rows = {r["task"]: r for r in json.loads(editmill("tasks", path, "--json"))}
    assert [t for t, r in rows.items() if r["on"]] == ["deblur"]
    assert rows["upscaling"]["why"] == "no weight in the recipe"
    monkeypatch.setenv("EDITMILL_DEPTH", "somewhere")
    rows = {r["task"]: r for r in json.loads(editmill("tasks", path, "--json"))}
    assert [t for t, r in rows.items() if r["on"]] == ["depth_detection", "deblur"]
    path.write_text(text % ("upscaling", 0))
    rows = {r["task"]: r for r in json.loads(editmill("tasks", path, "--json"))}
    assert rows["upscaling"]["why"] == "its weight is 0"
    rows = json.loads(editmill("tasks", "vivid-embedded", "--json"))
    assert not any(r["on"] for r in rows)


@pytest.fixture
def recipe(folder: Path) -> Path:
    path = folder / "r.yaml"
    plan = {"edits_per_clip": 3, "weights": {"deblur": 1, "upscaling": 1, "canny_to_video": 2,
            "object_removal": 1, "object_swap": 1, "depth_detection": 1}}  # fmt: skip
    values = {"name": "x", "sources": [{"kind": "folder", "path": str(folder)}],
              "clips": {"max_frames": 64}, "plan": plan}  # fmt: skip
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_dry_run_counts_and_writes_nothing(editmill, recipe: Path, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("EDITMILL_DEPTH", raising=False)
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "out"
    told = json.loads(editmill("build", recipe, "--out", out, "--dry-run", "--json"))
    assert (told["sources"], len(told["refused"])) == (2, 2)
    assert told["clips"] == 3  # 64 + 64 of 150 frames (the rest is below 33), and 40
    assert sum(told["edits"].values()) <= 3 * (3 + 1) + 2
    assert told["edits_between"] == {"object_removal": [0, 6], "object_swap": [0, 6]}
    assert told["unmeasured"] == ["depth_detection"]
    (problem,) = told["problems"]
    assert "set EDITMILL_DEPTH" in problem and "depth_detection" not in told["core_seconds"]
    assert told["core_seconds"]["ingest"] == pytest.approx(costs.INGEST * 168 / 64, abs=0.1)
    assert told["there"] == {} and told["absent"] == []
    names = {model["name"] for model in told["models"]}
    assert {"transnetv2", "efficientdet_lite2", "migan", "smollm2_135m"} <= names
    assert not names & {"hed_bsds500", "multistyle26", "clip_city"}
    assert all(model["licence"] for model in told["models"])
    shown = editmill("build", recipe, "--out", out, "--dry-run")
    assert " edits, 3 to 15 as objects suit" in shown and "the judgement decides" in shown
    assert re.search(r"object_removal +\d +0 to 6", shown)
    assert "as many objects suited as on the samples" in shown
    assert "2 sources" in shown and "3 clips" in shown and "Apache-2.0" in shown
    assert sorted(tmp_path.rglob("*")) == before
    shown = editmill("build", "vivid-embedded", "--out", out, "--dry-run")
    assert "two cores" in shown and "judgement" not in shown  # which makes records only


def test_a_dry_run_says_what_of_footage_elsewhere_it_counts(editmill, refused, tmp_path: Path):
    path, links = tmp_path / "r.yaml", tmp_path / "links.csv"
    links.write_text("url\nhttps://a.example/1.mp4\nhttps://a.example/2.mp4\n")
    sources: list[dict[str, object]] = [{"kind": "urls", "files": str(links), "per_build": 1}]
    values = {"name": "x", "sources": sources, "plan": {"weights": {"deblur": 1}}}
    path.write_text(yaml.safe_dump(values))
    (note,) = json.loads(editmill("build", path, "--dry-run", "--json"))["left_out"]
    assert note.startswith("Not in the figures") and "names 2 videos, of which each build" in note
    gone = str(tmp_path / "gone.csv")
    sources.append({"kind": "urls", "files": gone})
    path.write_text(yaml.safe_dump(values))
    notes = json.loads(editmill("build", path, "--dry-run", "--json"))["left_out"]
    assert len(notes) == 2 and notes[1].startswith(f"Would be left out: {gone}")
    del sources[0]
    path.write_text(yaml.safe_dump(values))
    assert gone in refused("build", path, "--dry-run")


def test_a_dry_run_names_servers_weights_and_a_missing_key(
    editmill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PEXELS_API_KEY", raising=False)
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "empty"))
    told = json.loads(editmill("build", "open", "--dry-run", "--json", "--out", tmp_path / "out"))
    asked = {(s["slot"], s["address"]) for s in told["servers"]}
    assert asked == {(slot, "http://127.0.0.1:8000/v1") for slot in ("captions", "write", "judge")}
    assert [p for p in told["problems"] if "set PEXELS_API_KEY" in p]
    rows = {row["checkpoint"]: row["size"] for row in told["providers"]}
    files = sum(each["bytes"] for each in told["models"])
    weights = {"bytes": sum(rows.values()) + files, "unknown": 0}
    assert told["weights"] == {**weights, "missing_bytes": weights["bytes"]}
    text = " ".join(editmill("build", "open", "--dry-run", "--out", tmp_path / "out").split())
    assert f"Weights: {weights['bytes'] / 1e9:.1f} GB on disk" in text
    assert "Servers that are asked: captions: Qwen/Qwen3-VL-30B-A3B-Instruct at http://" in text
    monkeypatch.setenv("PEXELS_API_KEY", "k")
    told = json.loads(editmill("build", "open", "--dry-run", "--json", "--out", tmp_path / "out"))
    assert not [p for p in told["problems"] if "PEXELS" in p]


def test_a_dry_run_fetches_nothing(editmill, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "cold"))
    monkeypatch.setattr(weights, "fetch", lambda name: pytest.fail(f"{name} was fetched"))
    told = json.loads(editmill("build", "--dry-run", "--json", "--out", tmp_path / "out"))
    streets = ["clip_crossing_truck", "clip_motorway", "clip_crossing_cyclist", "clip_city"]
    assert told["absent"] == ["clip_bikes", *streets, "clip_pedestrians"]
    missing = {m["name"]: m["bytes"] for m in told["models"] if not m["present"]}
    assert missing.keys() >= {"clip_city", "hed_bsds500"}
    assert told["download_bytes"] == sum(missing.values())
    assert not (tmp_path / "cold").exists() and not (tmp_path / "out").exists()
    assert "must be downloaded first" in editmill("build", "--dry-run", "--out", tmp_path / "out")


def test_a_dry_run_names_the_samples_there_are(refused, tmp_path: Path):
    path, sources = tmp_path / "r.yaml", [{"kind": "samples", "names": ["nö"]}]
    path.write_text(
        yaml.safe_dump({"name": "x", "sources": sources, "plan": {"weights": {"deblur": 1}}})
    )
    told = refused("build", path, "--dry-run")
    assert "sample 'nö' is not known; there are: clip_" in told and "transnetv2" not in told


def test_a_dry_run_says_what_is_there_already(editmill, recipe: Path, root: Path):
    told = json.loads(editmill("build", recipe, "--out", root, "--dry-run", "--json"))
    assert told["there"] == {"sources": 3, "clips": 3, "pairs": 4, "local_edits": 0}
    assert "holds 3 sources, 3 clips, 4 pairs already" in editmill(
        "build", recipe, "--out", root, "--dry-run"
    )


def test_a_dry_run_tells_new_footage_from_known_and_from_forgotten(
    editmill, recipe: Path, root: Path
):
    dataset = catalog.open(root)
    known = Source("a" * 64, "short.mp4", "u", "CC0-1.0", 96, 64, 25.0, 40, "h264")
    dataset.tables.put("sources", {"a": [known]})
    told = json.loads(editmill("build", recipe, "--out", root, "--dry-run", "--json"))
    assert (told["known"], told["forgotten"]) == (["short.mp4"], [])
    assert told["new_seconds"] == 6.0  # of long.mp4: 150 frames at 25 a second
    shown = editmill("build", recipe, "--out", root, "--dry-run")
    assert "By name, 1 of the 2 sources are in it, 1 new" in shown and "did not finish" not in shown
    now = datetime.now(UTC)
    for state in ("stopped", "finished"):
        last = Status("tiny", state, now, now, 1.0, "host", 1, 0.0, [], {}, 0)
        dataset.storage.write(FILE, json.dumps(dataclasses.asdict(last), default=str).encode())
        shown = editmill("build", recipe, "--out", root, "--dry-run")
        assert ("the last build, which did not finish, has left" in shown) == (state == "stopped")
    dataset.tables.put("sources", {"a": []})
    remember(dataset.storage, Forgotten("a" * 64, ["short.mp4"]))
    told = json.loads(editmill("build", recipe, "--out", root, "--dry-run", "--json"))
    assert (told["known"], told["forgotten"], told["new_seconds"]) == ([], ["short.mp4"], 6.0)
    shown = editmill("build", recipe, "--out", root, "--dry-run")
    assert "0 of the 2 sources are in it, 1 new" in shown
    assert "Forgotten, so the build refuses them: short.mp4" in shown
    name = failure_id("look", "long.mp4")
    failure = Failure(name, "look", "long.mp4", "screen_recording", "long.mp4: …")
    dataset.tables.put("failures", {"look/long.mp4": [failure]})
    told = json.loads(editmill("build", recipe, "--out", root, "--dry-run", "--json"))
    assert (told["refused_before"], told["new_seconds"]) == (["long.mp4"], 0.0)
    shown = editmill("build", recipe, "--out", root, "--dry-run")
    assert "are in it, 0 new, 1 refused before (its failures say why)" in shown


def test_a_dry_run_of_records_counts_those(editmill, folder: Path, tmp_path: Path):
    shown = editmill("build", "vivid-embedded", "--source", folder, "--dry-run", "--out", "x")
    assert "local-editing records at most" in shown and "not measured" in shown
