"""What a build is asked for, and what a finished one depends on beyond its recipe and sources."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.errors import EditmillError
from catalog.layout import release_key
from catalog.records import Pair
from flows.recipe import parse
from flows.release.outcome import REPORT, Outcome
from flows.request import BuildRequest, finished, recipe_for, remember, request
from flows.runtime.context import Context, context
from flows.runtime.results.branch import on_branch
from flows.sources.source import Listing
from tests.catalog.keeping.two_sources import record
from tests.checkpoints import controlnet_hed


def test_another_controlnet_in_the_same_folder_is_another_build(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    made = controlnet_hed.make(tmp_path / "hed")
    editor: dict[str, Any] = {"provider": "controlnet_hed", "checkpoint": str(made / "sd15")}
    recipe, out = tmp_path / "mine.yaml", tmp_path / "out"
    (tmp_path / "video.mp4").write_bytes(b"")

    def key(named: Path) -> str:
        content = {
            "name": "mine",
            "sources": [{"kind": "folder", "path": str(tmp_path)}],
            "plan": {"weights": {"deblur": 1}},
            "models": {
                "first_frame": {
                    "object_swap": {**editor, "controlnet": str(made / "controlnet")},
                    "global_style_transfer": {**editor, "controlnet": str(named)},
                }
            },
        }
        recipe.write_text(yaml.safe_dump(content))
        return request(str(recipe), out).key

    own = tmp_path / "own"
    (made / "controlnet").rename(own)
    (made / "controlnet").symlink_to(own)
    before = key(own)
    assert key(own) == before
    weights = next(own.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert key(own) != before
    with pytest.raises(EditmillError, match="there is no such folder; set `controlnet`"):
        key(tmp_path / "gone")


def test_a_dataset_does_not_go_into_the_folder_of_its_footage(tmp_path: Path) -> None:
    (tmp_path / "footage").mkdir()
    (tmp_path / "link").symlink_to("footage")
    for out in ("footage", "link", "footage/../footage/"):
        with pytest.raises(EditmillError, match="footage lies there") as told:
            recipe_for("embedded", tmp_path / "footage", tmp_path / out)
        assert "\n" not in str(told.value)
    for out in (tmp_path / "footage" / "dataset", "s3://bucket/footage"):
        assert recipe_for("embedded", tmp_path / "footage", out).sources[0].kind == "folder"


RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


def test_a_build_is_finished_while_main_and_the_report_show_it(tmp_path: Path) -> None:
    out = tmp_path / "dataset"

    def opened(out: Path, task: str = "deblur") -> tuple[Context, BuildRequest]:
        recipe = parse(RECIPE.replace("deblur", task), "tiny")
        return context(out, recipe), BuildRequest(recipe, str(out), None, Listing([]), task)

    def done(out: Path) -> Outcome | None:
        return finished(*opened(out))

    def build() -> Path:
        ctx, asked = opened(out)
        with on_branch(ctx):
            ctx.catalog.tables.put("pairs", {"a": [record(Pair, pair_id="a")]})
        ctx.catalog.release("v1")
        ctx.storage.write(REPORT, b"of v1")
        remember(ctx, asked, Outcome("v1", ctx.uri, f"{ctx.uri}/{REPORT}", [], [], {}))
        return out

    assert done(out) is None
    found = done(build())
    assert found is not None and found.catalog == str(out)
    shutil.copytree(out, tmp_path / "copy")
    found = done(tmp_path / "copy")
    assert found is not None
    assert (found.catalog, found.report) == (
        str(tmp_path / "copy"),
        str(tmp_path / "copy" / REPORT),
    )
    (out / REPORT).write_bytes(b"so far")  # another recipe's build was stopped
    assert done(out) is None
    assert done(build()) is not None
    with on_branch(opened(out, "upscaling")[0]):  # and went on to its end
        pass
    assert done(out) is None
    assert done(build()) is not None
    (out / release_key("v1")).unlink()
    assert done(out) is None
