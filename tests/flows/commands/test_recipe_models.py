"""What a recipe needs, is told, fetched and pinned: with a registry and a hub of the tests' own."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import experts.providers
import flows
from catalog.errors import EditmillError
from experts.diffusion.model.bases import BASES, base_folder, base_named
from experts.providers import registry
from flows import needs
from flows.cli import app
from flows.recipe import load
from tests.experts.checkpoint.conftest import laid
from tests.hub import COMMIT, FILES, REPO, Hub

ENTRY = """
[dino]
what = "A detector of phrases, which is named at length so that it would not fit into a narrow cell"
implementation = "experts.annotate.detection.grounding_dino:GroundingDino"
licence = "Apache-2.0"
licence_from = "the model card"
output = { name = "Apache-2.0", may_train = true, source = "the model card" }
needs = { gpu = 2.0, dtype = "float16", library = "transformers", extra = "gpu" }
checkpoint = { repo = "owner/model", commit = "COMMIT", size = 307200, files = FILES }
"""
PATTERNS = '["config.json", "model.safetensors", "tokenizer/*.json"]'

pytestmark = pytest.mark.usefixtures("model_cache", "no_weights")


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of package registries: what the manifest has, is told only."""
    monkeypatch.setattr("experts.weights.fetch_all", lambda names, progress: None)


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """`registered(commit)`: the registry with one more detector."""
    folder = tmp_path / "providers"
    shutil.copytree(Path(experts.providers.__file__).parent / "slots", folder / "slots")
    own = folder / "slots" / "detect.toml"
    before = own.read_text("utf-8")

    def with_commit(commit: str) -> None:
        entry = ENTRY.replace("COMMIT", commit).replace("FILES", PATTERNS)
        own.write_text(before + entry, "utf-8")
        registry.providers.cache_clear()

    with_commit(COMMIT)
    monkeypatch.setattr(registry, "files", lambda _: folder)
    yield with_commit
    monkeypatch.undo()
    registry.providers.cache_clear()


@pytest.fixture
def recipe(tmp_path: Path, registered: object) -> Path:
    path = tmp_path / "mine.yaml"
    content = yaml.safe_load(
        (Path(flows.__file__).parent / "recipes/embedded.yaml").read_text("utf-8")
    )
    path.write_text(yaml.safe_dump({**content, "models": {"detect": "dino"}}), "utf-8")
    return path


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["models", *map(str, arguments)], env={"COLUMNS": "80"})
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.stdout


def row(recipe: Path, *more: str, code: int = 0) -> dict[str, object]:
    told = json.loads(run("--recipe", recipe, "--json", *more, code=code))
    return next(each for each in told["models"] if each["name"] == "dino")


def test_it_is_told_fetched_and_then_here(recipe: Path, hub: Hub, model_cache: Path) -> None:
    before = row(recipe)
    assert before["state"] == "missing"
    assert before["checkpoint"] == f"{REPO}@{COMMIT}"
    assert (before["size"], before["gpu"], before["dtype"]) == (307200, 2.0, "float16")
    assert (before["may_train"], before["licence"]) == (True, "Apache-2.0")
    assert not hub.asked
    run("--recipe", recipe, "--fetch", code=1)  # the embedded files are still missing
    assert (model_cache / "checkpoints" / REPO / COMMIT / "model.safetensors").is_file()
    assert row(recipe)["state"] == "here"


def test_offline_asks_nobody_and_fails_where_something_is_missing(
    recipe: Path, hub: Hub, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITMILL_OFFLINE", "0")  # is put back, whatever the command sets
    assert row(recipe, "--offline", code=1)["state"] == "missing"
    laid(model_cache / "checkpoints" / REPO / COMMIT, FILES)
    assert row(recipe, "--offline", code=1)["state"] == "here"  # the manifest's are not
    assert not hub.asked
    of_the_recipe = needs.needed
    monkeypatch.setattr(needs, "files", lambda _: [])
    monkeypatch.setattr(
        needs, "needed", lambda recipe: [r for r in of_the_recipe(recipe) if r.name == "dino"]
    )
    assert row(recipe, "--offline", code=0)["state"] == "here"


def test_a_table_fits_a_narrow_terminal(recipe: Path) -> None:
    text = run("--recipe", recipe)
    table = text[: text.index(" MB are missing")].rpartition("\n")[0]
    assert max(map(len, table.splitlines())) <= 80
    for part in (
        "dino  missing  0 MB  2 GiB of GPU, float16",
        f"{REPO}@{COMMIT[:12]}\n".strip(),
        "Apache-2.0; outputs may train models",
        "uses transformers",
    ):
        assert part in table
    assert f"editmill models --recipe {recipe} --fetch" in text


def test_a_commit_that_is_not_settled_is_pinned_by_lines_for_the_recipe(
    recipe: Path, hub: Hub, registered, tmp_path: Path
) -> None:
    registered("")
    assert row(recipe)["state"] == "no commit"
    text = run("--recipe", recipe)
    assert f"editmill models --recipe {recipe} --pin" in text
    run("--recipe", recipe, "--fetch", code=1)
    assert not hub.asked
    printed = run("--recipe", recipe, "--pin")
    content = yaml.safe_load(recipe.read_text("utf-8"))
    recipe.write_text(yaml.safe_dump({**content, **yaml.safe_load(printed)}), "utf-8")
    assert load(str(recipe)).models.detect.options == {"checkpoint": f"{REPO}@{COMMIT}"}
    assert row(recipe)["state"] == "missing"
    assert "has its commit" in run("--recipe", recipe, "--pin")


def test_what_is_missing_is_counted_and_what_is_unknown_said(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "files", lambda *_: [])
    of_the_recipe = needs.needed
    monkeypatch.setattr(
        needs, "needed", lambda recipe: [r for r in of_the_recipe(recipe) if r.name == "dino"]
    )
    assert "0 MB are missing (1 checkpoint);" in run("--recipe", recipe)
    content = yaml.safe_load(recipe.read_text("utf-8"))
    detect = {"provider": "dino", "checkpoint": f"another/one@{COMMIT}"}
    recipe.write_text(yaml.safe_dump({**content, "models": {"detect": detect}}), "utf-8")
    text = run("--recipe", recipe)
    assert "0 MB + 1 of unknown size are missing (1 checkpoint);" in text
    assert "size not known" in text
    assert "a checkpoint of your own" in text
    assert "A detector of phrases" not in text


def test_a_sibling_is_told_as_what_it_is(recipe: Path) -> None:
    content = yaml.safe_load(recipe.read_text("utf-8"))
    vlm = {"provider": "vlm", "checkpoint": f"Qwen/Qwen3-VL-4B-Instruct@{COMMIT}"}
    clip = f"timm/vit_base_patch32_clip_224.openai@{COMMIT}"
    models = {"captions": vlm, "encode": {"provider": "open_clip", "checkpoint": clip}}
    recipe.write_text(yaml.safe_dump({**content, "models": models}), "utf-8")
    told = {r["slot"]: r for r in json.loads(run("--recipe", recipe, "--json"))["models"]}
    assert told["captions"]["what"] == "Qwen3-VL 4B"
    assert (told["captions"]["size"], told["captions"]["gpu"]) == (8900000000, 12.0)
    assert told["captions"]["licence"] == "Apache-2.0"
    assert "ViT-B/32" in told["encode"]["what"]
    assert told["encode"]["licence"] == "its licence is not known"


def test_what_cannot_be_used_ends_the_list_and_the_command(
    recipe: Path, hub: Hub, registered, tmp_path: Path
) -> None:
    registered("")
    content = yaml.safe_load(recipe.read_text("utf-8"))
    models = {"detect": "dino", "depth": {"provider": "depth_anything", "checkpoint": "~/not/here"}}
    recipe.write_text(yaml.safe_dump({**content, "models": models}), "utf-8")
    text = " ".join(run("--recipe", recipe, code=1).split())
    assert "1 cannot be used, so a build would refuse the recipe: depth: depth_anything" in text
    assert "there is no such folder" in text
    assert "hub without its commit" not in text
    printed = run("--recipe", recipe, "--pin")
    assert "# Not pinned, since it cannot be used: depth: depth_anything (" in printed
    assert list(yaml.safe_load(printed)["models"]) == ["detect"]


def test_a_recipe_is_shown_without_torch(recipe: Path, model_cache: Path) -> None:
    script = (
        "import sys\nfrom flows.cli import app\n"
        "try:\n    app(['models', '--recipe', 'senorita', '--json'])\n"
        "except SystemExit:\n    pass\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr


def test_the_hubs_own_client_says_nothing_beside_our_line(
    recipe: Path, registered, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    registered("")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    result = CliRunner().invoke(app, ["models", "--recipe", str(recipe), "--pin"])
    assert isinstance(result.exception, EditmillError)
    assert "Retrying" not in result.output + "".join(capfd.readouterr())


def test_a_checkpoint_that_the_recipe_names_counts(recipe: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(recipe.read_text("utf-8"))
    detect = {"provider": "dino", "checkpoint": str(tmp_path / "own"), "dtype": "bfloat16"}
    recipe.write_text(yaml.safe_dump({**content, "models": {"detect": detect}}), "utf-8")
    laid(tmp_path / "own", {"config.json": b"{}"})
    told = row(recipe, code=1)
    assert told["state"] == "unusable"
    assert "(model.safetensors missing)" in str(told["fault"])
    laid(tmp_path / "own", FILES)
    told = row(recipe)
    assert (told["state"], told["dtype"], told["size"]) == (
        "here",
        "bfloat16",
        len(FILES["model.safetensors"]),
    )


def test_experts_and_footage_count(
    recipe: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDITMILL_COGVIDEOX_2B", str(tmp_path))
    monkeypatch.setenv("EDITMILL_NSFW", f"{REPO}@{COMMIT}")
    content = yaml.safe_load(recipe.read_text("utf-8"))
    more = {
        "experts": {"object_removal": "cogvideox@latest", "object_swap": "wan_vace"},
        "footage": {"nsfw": True},
        "models": {"first_frame": {"provider": "controlnet_hed", "controlnet": "owner/other"}},
    }
    recipe.write_text(yaml.safe_dump({**content, **more}), "utf-8")
    told = {r["name"]: r for r in json.loads(run("--recipe", recipe, "--json", code=1))["models"]}
    assert (told["CogVideoX-2b"]["state"], told["CogVideoX-2b"]["licence"]) == (
        "here",
        "Apache-2.0",
    )
    assert (told["nsfw"]["slot"], told["nsfw"]["state"]) == ("footage", "missing")
    assert (told["wan_vace"]["slot"], told["wan_vace"]["state"]) == ("edit", "missing")
    assert "without its commit; set `controlnet`" in told["controlnet"]["fault"]
    assert told["controlnet_hed"]["state"] == "missing"
    monkeypatch.setenv("EDITMILL_COGVIDEOX_2B", str(tmp_path / "gone"))
    told = {r["name"]: r for r in json.loads(run("--recipe", recipe, "--json", code=1))["models"]}
    assert "set EDITMILL_COGVIDEOX_2B" in told["CogVideoX-2b"]["fault"]


def test_the_base_of_trained_experts_is_fetched_as_the_others(
    recipe: Path, hub: Hub, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = BASES["CogVideoX-2b"]
    monkeypatch.delenv(base.variable, raising=False)
    monkeypatch.setitem(
        BASES, "CogVideoX-2b", dataclasses.replace(base, repo=REPO, commit=COMMIT, size=5)
    )
    hub.repos[REPO] = dict.fromkeys(
        (
            *("model_index.json", "scheduler/scheduler_config.json", "README.md"),
            *("tokenizer/spiece.model", "tokenizer/tokenizer_config.json"),
            *(f"{part}/config.json" for part in ("text_encoder", "transformer", "vae")),
            *(f"{part}/model.safetensors" for part in ("text_encoder", "transformer", "vae")),
        ),
        b"{}",
    )
    content = yaml.safe_load(recipe.read_text("utf-8"))
    only = {"experts": {"object_removal": "cogvideox@latest"}, "models": {}}
    recipe.write_text(yaml.safe_dump({**content, **only}), "utf-8")
    of_the_recipe = needs.needed
    monkeypatch.setattr(needs, "files", lambda *_: [])
    rows = {row.name: row for row in of_the_recipe(load(str(recipe)))}
    assert (rows["CogVideoX-2b"].state, rows["CogVideoX-2b"].size) == ("missing", 5)
    needs.fetch(rows["CogVideoX-2b"])
    folder = model_cache / "checkpoints" / REPO / COMMIT
    assert (folder / "transformer" / "model.safetensors").is_file()
    assert not (folder / "README.md").exists()
    rows = {row.name: row for row in of_the_recipe(load(str(recipe)))}
    assert rows["CogVideoX-2b"].state == "here"
    assert base_folder("CogVideoX-2b", base_named("CogVideoX-2b")) == folder


def test_slots_tells_every_provider(registered: object) -> None:
    told = json.loads(run("--slots", "--json"))
    named = {(each["slot"], each["name"]) for each in told}
    assert named == {(s, name) for s in registry.slots() for name in registry.providers(s)}
    assert ("detect", "dino") in named
    text = run("--slots")
    assert all(name in text for _, name in named)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "flags", ["--offline --fetch", "--pin", "--slots --recipe embedded", "--slots --fetch"]
)
def test_flags_that_contradict_are_refused(flags: str) -> None:
    result = CliRunner().invoke(app, ["models", *flags.split()])
    assert isinstance(result.exception, EditmillError)
