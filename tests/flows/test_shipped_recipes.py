"""The shipped recipes with models of the hub: what they choose, and what that takes."""

from __future__ import annotations

import pytest

from experts.providers.models import Models
from experts.providers.requirements import requirement as needs
from flows.commands.making.estimate.placement import placement
from flows.needs import needed
from flows.recipe import load, parse

SHIPPED = ("senorita", "vivid", "open", "hub-small")

shipped = pytest.mark.parametrize("name", SHIPPED)


@shipped
def test_its_models_are_the_same_when_written_and_read_again(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert Models.model_validate(recipe.models.model_dump(mode="json")) == recipe.models


@shipped
def test_each_checkpoint_that_it_names_has_its_commit(name: str) -> None:
    for each in needed(load(name)):
        if each.slot != "edit" and each.name != "controlnet":  # folders of the user's
            assert each.state in ("here", "missing", "served"), (each.name, each.fault)


def test_open_chooses_nothing_that_claims_outputs() -> None:
    for each in needed(load("open")):
        if each.state == "served":  # the server's model, which the recipe names
            assert each.may_train is None
        else:
            assert each.may_train is True, each.name


def test_hub_small_fits_its_budget_and_asks_no_server() -> None:
    recipe = load("hub-small")
    stages = placement(recipe)
    assert {stage.stage for stage in stages} >= {"caption", "annotate", "edit", "judge"}
    assert recipe.run.gpu_memory is not None
    for stage in stages:
        assert stage.gib <= recipe.run.gpu_memory, stage
    assert all(each.state != "served" for each in needed(recipe))


def test_senorita_and_vivid_choose_the_papers_models() -> None:
    by_slot = {
        name: {(each.slot, each.name) for each in needed(load(name))}
        for name in ("senorita", "vivid")
    }
    assert by_slot["senorita"] >= {
        ("captions", "blip2"),
        ("detect", "grounding_dino"),
        ("track", "sam2_video"),
        ("first_frame", "flux_fill"),
        ("first_frame", "controlnet_hed"),
    }
    assert by_slot["vivid"] >= {
        ("detect", "grounding_dino"),
        ("track", "sam2_video"),
        ("flow", "raft"),
        ("region_captions", "vlm"),
    }


RECIPE = "name: x\nsources: [{kind: folder, path: v}]\n"
PAIRS = RECIPE + "plan: {weights: {deblur: 1}}\n"
RECORDS = RECIPE + "records: {}\n"


def used(text: str) -> set[tuple[str, str]]:
    return {(choice.slot, choice.provider) for choice in parse(text, "x").choices()}


def test_each_product_has_models_of_its_own() -> None:
    assert ("write", "smollm2") in used(PAIRS) and ("flow", "dis") not in used(PAIRS)
    assert ("flow", "dis") in used(RECORDS) and ("write", "smollm2") not in used(RECORDS)
    assert ("track", "keyframes") in used(PAIRS) & used(RECORDS)


def test_words_alone_tell_sam3_what_to_follow() -> None:
    assert ("detect", "efficientdet_lite2") in used(PAIRS)
    assert not any(slot == "detect" for slot, _ in used(PAIRS + "models: {track: sam3}\n"))


def test_short_captions_by_blip2_are_a_model_more() -> None:
    asked = "provider: vlm, server: 'http://127.0.0.1:1/v1', model: m"
    assert ("captions", "blip2") not in used(PAIRS + f"models: {{captions: {{{asked}}}}}\n")
    short = f"short_by: blip2, short_checkpoint: /own, device: 'cuda:1', {asked}"
    recipe = parse(PAIRS + f"models: {{captions: {{{short}}}}}\n", "x")
    vlm, blip2 = (choice for choice in recipe.choices() if choice.slot == "captions")
    assert (vlm.provider, blip2.provider) == ("vlm", "blip2")
    assert blip2.options == {"device": "cuda:1", "checkpoint": "/own"}


@pytest.mark.parametrize(
    ("checkpoint", "licence", "may_train"),
    [
        ("", "Apache-2.0", True),
        ("depth-anything/Depth-Anything-V2-Small-hf@" + "0" * 40, "Apache-2.0", True),
        # Under CC-BY-NC-4.0; of a folder anything may hold.
        ("depth-anything/Depth-Anything-V2-Large-hf@" + "0" * 40, "its licence is not known", None),
        ("/own/model", "its licence is not known", None),
    ],
)
def test_of_another_checkpoint_no_licence_is_claimed(
    checkpoint: str, licence: str, may_train: bool | None
) -> None:
    options = {"checkpoint": checkpoint} if checkpoint else {}
    found = needs("depth", "depth_anything", options)
    assert (found.licence, found.may_train) == (licence, may_train)


def test_a_model_on_a_server_or_a_processor_takes_no_gpu() -> None:
    served = {"server": "http://127.0.0.1:1/v1", "model": "m"}
    assert needs("captions", "vlm").gpu > 0
    assert needs("captions", "vlm", served).gpu == 0
    assert needs("captions", "vlm", {"device": "cpu"}).gpu == 0
    assert needs("captions", "vlm", {"device": "cuda:1"}).gpu > 0
