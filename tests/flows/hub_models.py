"""What builds with models of the hub are tested with: footage, tiny checkpoints and a server."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

from catalog import media
from experts.providers import provider
from tests.checkpoints import (
    blip2,
    controlnet_hed,
    depth_anything,
    flux2_klein,
    flux_fill,
    grounding_dino,
    open_clip,
    qwen2_5_vl,
    qwen_image_edit,
    sam2_video,
    sam3_video,
    wan_vace,
)
from tests.experts.write.chat_server import Answer, Fake

FRAMES, HEIGHT, WIDTH = 36, 96, 160

PAINTED = ("object_removal", "object_swap", "local_style_transfer", "global_style_transfer")
"""Tasks that Wan-VACE serves here."""

PAINTS = {"steps": 1, "max_pixels": 2048}
"""Of an image editor."""

NO_RULES = dict.fromkeys(("black", "screen", "slide_show", "still", "text", "watermark"))
"""Tiles are as screens and text have them."""

DETAILED = (
    "A red car drives slowly over a wide field of coloured tiles while a white dog watches it from "
    "the side, and the ground beneath both of them is made of many small squares in bright and "
    "dark colours that drift to the left."
)
CAPTION = {
    "short": "a red car drives past a dog",
    "detailed": DETAILED,
    "objects": ["red car", "white dog"],
}
REGION = {
    "short": "a red car with dark windows",
    "medium": "a red car with dark windows that drives over a field of small coloured tiles",
    "long": "a bright red car with dark windows and shining wheels that drives slowly over a wide "
    "field of small coloured tiles while it keeps the same distance from the camera all the time",
}
REPLACEMENTS = {"candidates": ["wooden crate", "hay bale", "stone planter"]}
LOOKS = {"candidates": ["striped", "golden", "rusty and dented"]}


class Maker(Protocol):
    """A module of `tests.checkpoints`."""

    def make(self, folder: Path, /) -> Path: ...


class StableDiffusion:
    """The pipeline beside the ControlNet."""

    @staticmethod
    def make(folder: Path, /) -> Path:
        with TemporaryDirectory() as made:
            return Path(shutil.move(controlnet_hed.make(Path(made)) / "sd15", folder))


class ScriptedServer(Fake):
    """A server of OpenAI's protocol that answers each kind of question, by the schema that the
    answer must follow, and counts them in `asked`; `instead` has other answers by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.instead: dict[str, Any] = {}
        self.answer = self._answer

    def _answer(self, path: str, body: dict[str, Any]) -> Answer:
        if path.endswith("/models"):
            return 200, {"data": [{"id": "scripted", "object": "model", "root": "s-1"}]}, {}
        schema = body["response_format"]["json_schema"]["schema"]
        kind, answer = _answer_to(set(schema["properties"]), body)
        self.asked[kind] += 1
        said = {"role": "assistant", "content": json.dumps(self.instead.get(kind, answer))}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "finish_reason": "stop", "message": said}
        return 200, {"model": "scripted", "choices": [choice], "usage": usage}, {}


def _answer_to(asked: set[str], body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if "objects" in asked:
        return "caption", CAPTION
    if "medium" in asked:
        return "region", REGION
    if "candidates" in asked:
        system = body["messages"][0]["content"]
        return ("look", LOOKS) if "another look" in system else ("replacement", REPLACEMENTS)
    if "phrasings" in asked:
        return "instruction", _instruction(body["messages"][-1]["content"])
    if "better" in asked:
        return "comparison", {"reason": "It is steadier.", "better": "tie"}
    grade = {"reason": "Seen as asked.", "score": 5}
    graded = {name: grade for name in ("instruction", "preservation", "render")}
    return "judgement", {**graded, "contradicts_motion": False, "swapped": False}


def _instruction(facts: str) -> dict[str, Any]:
    """Texts for a removal or a swap by the facts that the writer is told; for other tasks a
    removal's, which no check lets through."""
    told = dict(line.split(": ", 1) for line in facts.splitlines() if ": " in line)
    if "Replacement" in told:
        old, new = told["Replaced"], told["Replacement"]
        return {
            "short": f"Replace {old} with {new}.",
            "enhanced": f"Replace {old} with {new}, keep its size and place in every frame, and "
            "leave light and camera motion exactly as they are.",
            "phrasings": [
                f"Swap {old} for {new}.",
                f"Turn {old} into {new}.",
                f"Change {old} to {new}.",
            ],
        }
    what = told.get("Object", "the object")
    return {
        "short": f"Remove {what}.",
        "enhanced": f"Remove {what}, rebuild the ground behind it in every frame, and leave light "
        "and camera motion exactly as they are.",
        "phrasings": [
            f"Erase {what} from the video.",
            f"Get rid of {what}.",
            f"Edit out {what}.",
        ],
    }


def footage(folder: Path) -> Path:
    """A folder with a clip of tiles that drift, and a red block that goes its own way."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (12, 40, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    frames = np.stack([wide[:HEIGHT, 2 * t : 2 * t + WIDTH] for t in range(FRAMES)])
    for t, frame in enumerate(frames):
        frame[40:64, 30 + t : 70 + t] = (200, 30, 30)
    media.write_video(folder / "tiles.mp4", frames, 25.0)
    return folder


def pairs_recipe(folder: Path, mirror: Path, server: str) -> dict[str, Any]:
    """Pairs whose models are tiny ones of their own classes in `mirror`, or asked of the server."""
    vace = _vace("wan_vace", mirror)
    asked = {"provider": "openai", "model": "scripted", "base_url": server}
    return {
        **_common("hub-pairs", folder),
        "models": {
            "captions": _vlm(server),
            "detect": _dino(mirror),
            "track": _tiny("track", "sam2_video", sam2_video, mirror, min_confidence=0),
            "depth": _tiny("depth", "depth_anything", depth_anything, mirror),
            "encode": _tiny("encode", "open_clip", open_clip, mirror),
            "write": asked,
            "first_frame": {
                "object_swap": _tiny("first_frame", "flux2_klein", flux2_klein, mirror, **PAINTS),
                "global_style_transfer": _tiny(
                    "first_frame", "qwen_image_edit", qwen_image_edit, mirror, **PAINTS
                ),
            },
            "judge": {**asked, "max_frames": 2},
        },
        "plan": _plan(*PAINTED, "depth_detection") | {"best_of": 2},
        "experts": dict.fromkeys(PAINTED, vace),
        "filters": {"vlm": {"frames": 2, "instruction": 3, "preservation": 3, "render": 3}},
    }


def serverless_recipe(folder: Path, mirror: Path) -> dict[str, Any]:
    """Pairs without a server: all models are opened in the build's process."""
    flux = _tiny("first_frame", "flux_fill", flux_fill, mirror, **PAINTS)
    styled = _tiny("first_frame", "controlnet_hed", StableDiffusion, mirror, **PAINTS)
    controlnet = controlnet_hed.make(mirror / "hed") / "controlnet"
    return {
        **_common("hub-serverless", folder),
        "models": {
            "captions": _tiny("captions", "blip2", blip2, mirror, beams=1, max_tokens=12),
            "detect": _dino(mirror) | {"vocabulary": ["car"]},
            "track": _tiny("track", "sam2_video", sam2_video, mirror, min_confidence=0),
            "encode": _tiny("encode", "open_clip", open_clip, mirror),
            "first_frame": {
                "object_swap": flux,
                "global_style_transfer": styled | {"controlnet": str(controlnet)},
            },
            "judge": _tiny("judge", "transformers", qwen2_5_vl, mirror),
        },
        "plan": _plan("object_swap", "global_style_transfer"),
        "experts": dict.fromkeys(PAINTED, _vace("wan_vace_14b", mirror)),
        "filters": {"vlm": {"frames": 2, "max_tokens": 8, "attempts": 1}},
    }


def records_recipe(folder: Path, mirror: Path, server: str) -> dict[str, Any]:
    """Local-editing records: SAM 3 follows what the captions name, RAFT measures motion."""
    return {
        **_common("hub-records", folder),
        "models": {
            "captions": _vlm(server),
            "track": _tiny(
                "track", "sam3", sam3_video, mirror, min_confidence=0, detection_threshold=0.1
            ),
            "region_captions": _vlm(server),
            "flow": {"provider": "raft", "device": "cpu", "updates": 1},
        },
        "records": {
            **{"per_clip": 2, "images_per_video": 0.5},
            **{"min_seconds": 1, "min_lines": 64, "lines": 64},
            **{"min_area": 1e-4, "max_area": 1, "max_masked": 1},
            **{"min_score": 0, "min_confidence": 0},
        },
    }


def _common(name: str, folder: Path) -> dict[str, Any]:
    source = {"kind": "folder", "path": str(footage(folder / "footage")), "licence": "MIT"}
    return {
        "name": name,
        "sources": [source],
        "footage": NO_RULES,
        "clips": {"max_frames": 33, "per_source": 1},
        "annotate": {"max_objects": 2, "score_threshold": 0.001},
        "run": {"workers": 1},
    }


def _plan(*tasks: str) -> dict[str, Any]:
    return {
        **{"edits_per_clip": 8, "swaps_per_clip": 1, "frames": 9, "long_side": 128},
        # What random weights follow is neither sure nor small.
        **{"min_area": 1e-4, "max_area": 1, "min_score": 0, "min_mean_score": 0},
        "min_confidence": 0,
        "max_invented": 1,
        "weights": dict.fromkeys(tasks, 1),
    }


def _tiny(slot: str, name: str, maker: Maker, mirror: Path, **options: Any) -> dict[str, Any]:
    """A choice of this provider, with a tiny checkpoint where the mirror has the registry's."""
    known = provider(slot, name).checkpoint
    assert known is not None
    folder = mirror / known.repo / known.commit
    if not folder.exists():
        maker.make(folder)
    return {"provider": name, "device": "cpu", **options}


def _dino(mirror: Path) -> dict[str, Any]:
    return _tiny("detect", "grounding_dino", grounding_dino, mirror, text_threshold=0.001)


def _vace(name: str, mirror: Path) -> dict[str, Any]:
    size = {"steps": 1, "frames": 5, "overlap": 1, "max_pixels": 2048}
    return _tiny("edit", name, wan_vace, mirror, **size)


def _vlm(server: str) -> dict[str, Any]:
    return {"provider": "vlm", "server": server, "model": "scripted", "frames": 2}
