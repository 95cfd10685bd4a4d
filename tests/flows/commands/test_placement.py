"""Which stage has which models on the GPU, as a dry run tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from experts.diffusion.specs import BASE_GIB
from experts.providers import provider
from experts.providers.registry import providers, slots
from flows.commands.making.estimate.gpu_costs import CLIP, EDIT, PAIR
from flows.commands.making.estimate.placement import (
    COGVIDEOX,
    StageOnGpu,
    gpu_hours,
    lines,
    placement,
)
from flows.recipe import Recipe, parse

VACE = {"provider": "wan_vace", "offload": True}
SERVED = {"provider": "vlm", "server": "http://127.0.0.1:1/v1", "model": "m"}


def recipe(models: dict[str, Any], *, records: bool = False, **more: Any) -> Recipe:
    what = {"records": {}} if records else {"plan": {"weights": {"object_swap": 1, "deblur": 1}}}
    source = {"kind": "folder", "path": "v"}
    return parse(
        json.dumps({"name": "x", "sources": [source], "models": models, **what, **more}), "x"
    )


def gib(slot: str, name: str) -> float:
    return provider(slot, name).needs.gpu


def test_embedded_models_need_no_gpu_and_nothing_is_told() -> None:
    embedded = recipe({})
    assert placement(embedded) == []
    assert lines(embedded, 1, {}, None) == []


def test_models_of_one_stage_are_there_together_and_stages_take_turns() -> None:
    found = placement(
        recipe({"captions": "vlm", "detect": "grounding_dino", "track": "sam2_video"})
    )
    assert found == [
        StageOnGpu("caption", ("vlm",), gib("captions", "vlm")),
        StageOnGpu(
            "annotate",
            ("grounding_dino", "sam2_video"),
            gib("detect", "grounding_dino") + gib("track", "sam2_video"),
        ),
    ]


def test_sam3_is_alone_and_blip2_comes_with_a_served_model() -> None:
    (annotate,) = placement(recipe({"detect": "grounding_dino", "track": "sam3"}))
    assert annotate.models == ("sam3",)
    (caption,) = placement(recipe({"captions": {**SERVED, "short_by": "blip2"}}))
    assert caption.models == ("blip2",)
    assert placement(recipe({"captions": SERVED})) == []


def test_an_editor_is_there_with_its_image_editor() -> None:
    models = {"first_frame": {"object_swap": "flux2_klein"}}
    (edit,) = placement(recipe(models, experts={"object_swap": VACE}))
    offloaded = provider("edit", "wan_vace").needs.offloaded
    assert edit.models == ("wan_vace", "flux2_klein")
    assert edit.gib == offloaded + gib("first_frame", "flux2_klein")


def test_a_trained_expert_takes_its_base() -> None:
    (edit,) = placement(recipe({}, experts={"object_swap": "cogvideox@latest"}))
    assert edit.models == (COGVIDEOX,)
    assert edit.gib in BASE_GIB.values()


def test_records_have_stages_of_their_own() -> None:
    models = {"encode": "open_clip", "flow": "raft", "region_captions": "vlm"}
    assert [s.stage for s in placement(recipe(models, records=True))] == ["local_edit"]
    assert [s.stage for s in placement(recipe(models))] == ["judge"]


@pytest.mark.parametrize(
    ("budget", "available", "says"),
    [
        (30, None, "It fits `run.gpu_memory`, 30 GiB."),
        (3, 80 << 30, "It does not fit into `run.gpu_memory`, 3 GiB."),
        (None, 80 << 30, "It fits into this machine's GPU of 80 GiB."),
        (None, 4 << 30, "It does not fit into this machine's GPU of 4 GiB."),
        (None, None, "This machine has no GPU"),
    ],
)
def test_it_is_told_whether_the_largest_fits(
    budget: float | None, available: int | None, says: str
) -> None:
    asked = recipe({"captions": "vlm"}, run={"gpu_memory": budget})
    first, *rest = lines(asked, 1000, {}, available)
    assert "the largest takes about 20 GiB" in first
    assert says.replace("It fits `", "It fits into `") in first
    assert rest == ["  caption: vlm, 20 GiB", "GPU-hours: at most 2.9 of an H200 as measured."]


def test_hours_are_those_that_were_published_and_those_that_were_measured() -> None:
    experts = {"object_swap": "cogvideox@latest", "local_style_transfer": "wan_vace"}
    weights = {"weights": {"object_swap": 1, "local_style_transfer": 1, "deblur": 1}}
    models = {"captions": "vlm", "encode": "open_clip", "flow": "raft"}
    asked = recipe(models, experts=experts, plan=weights)
    edits = {"object_swap": 60.0, "local_style_transfer": 10.0, "deblur": 600.0}
    found = gpu_hours(asked, 100, edits)
    assert found.published == pytest.approx(60 * 2 / 60)  # two minutes each
    seconds = 100 * CLIP["vlm"] + 10 * EDIT["wan_vace"] + 670 * PAIR["open_clip"]
    assert found.measured == pytest.approx(seconds / 3600)
    assert found.unknown == ()
    assert found.line() == (
        "GPU-hours: about 2 of an RTX 4090 by the papers' figures and at most 0.39 of an H200 as "
        "measured."
    )


def test_nobody_measured_a_model_whose_parts_take_turns() -> None:
    asked = recipe({}, experts={"object_swap": VACE})
    found = gpu_hours(asked, 1, {"object_swap": 60.0})
    assert (found.measured, found.unknown) == (0.0, ("wan_vace with offload",))
    assert found.line() == "GPU-hours: not known; not measured: wan_vace with offload."


def test_every_model_of_the_costs_is_in_the_registry() -> None:
    known = {name for slot in slots() for name in providers(slot)}
    assert {*CLIP, *EDIT, *PAIR} <= known
