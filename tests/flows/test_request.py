"""What a build is asked for, and what a finished one depends on beyond its recipe and sources."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.errors import EditmillError
from flows.request import recipe_for, request
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
