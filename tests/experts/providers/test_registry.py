"""Every entry of the registry can be chosen, shown and, with its weights, run."""

import inspect
import re
from fnmatch import fnmatchcase
from typing import Annotated, Any, get_args, get_origin

import pytest
from packaging.licenses import canonicalize_license_expression

from catalog.errors import EditmillError
from experts import weights
from experts.checkpoint.formats import is_safe, is_weights
from experts.providers import Provider, providers, slots
from experts.providers.choice import choice_of
from experts.providers.hub_model import HubModel
from experts.providers.models import Models

ALL = [each for slot in slots() for each in providers(slot).values()]
WITH_CHECKPOINT = [each for each in ALL if each.checkpoint is not None]

every = pytest.mark.parametrize("entry", ALL, ids=lambda e: f"{e.slot}-{e.name}")
of_the_hub = pytest.mark.parametrize("entry", WITH_CHECKPOINT, ids=lambda e: f"{e.slot}-{e.name}")


def arguments(entry: Provider) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(entry.kind()).parameters)


def test_every_slot_of_a_recipe_has_a_file() -> None:
    assert set(Models.model_fields) <= set(slots())
    for slot in Models.model_fields:
        chosen = getattr(Models(), slot)
        assert chosen is None or chosen.provider in providers(slot)


def is_made_of_others(entry: Provider) -> bool:
    """Whether other models are arguments that it must be given, as a tracker's detector."""
    return any(
        each.kind is not each.KEYWORD_ONLY and each.default is each.empty
        for each in arguments(entry).values()
    )


@every
def test_it_is_a_model_that_costs_nothing_until_it_is_loaded(entry: Provider) -> None:
    kind = entry.kind()
    try:
        model = None if is_made_of_others(entry) else kind()
    except EditmillError as error:  # one that a recipe must give options: it says which
        assert re.search(r"`\w+`|`models\.\w+`", str(error))
    else:
        assert model is None or model.name
    for needed in ("load", "close", "version" if entry.checkpoint else "load"):
        assert hasattr(kind, needed), needed


@every
def test_its_licences_are_known_and_say_where_they_stand(entry: Provider) -> None:
    assert entry.licence and entry.licence_from
    if entry.output is not None:
        assert canonicalize_license_expression(entry.output.name) == entry.output.name
        assert entry.output.may_train in (True, False, None)
        assert entry.output.source


@every
def test_its_weights_are_in_the_manifest(entry: Provider) -> None:
    for name in entry.weights:
        assert weights.entry(name).size


@every
def test_what_it_needs_can_be_installed(entry: Provider) -> None:
    if entry.checkpoint is not None:
        assert entry.needs.library and entry.needs.extra
    assert entry.needs.gpu >= 0
    assert re.fullmatch(r"float16|bfloat16|float32", entry.needs.dtype)


@of_the_hub
def test_a_checkpoint_is_of_a_commit_or_of_none(entry: Provider) -> None:
    assert entry.checkpoint is not None
    assert re.fullmatch(r"([0-9a-f]{40})?", entry.checkpoint.commit)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.checkpoint.repo)
    assert entry.checkpoint.size > 1e6


@of_the_hub
def test_its_files_are_of_formats_that_cannot_run_code(entry: Provider) -> None:
    assert entry.checkpoint is not None
    assert all(map(is_safe, entry.checkpoint.files))
    assert any(map(is_weights, entry.checkpoint.needed))
    for needed in entry.checkpoint.needed:
        assert any(fnmatchcase(needed, pattern) for pattern in entry.checkpoint.files), needed
    assert set(entry.checkpoint.files) <= set(entry.checkpoint_kind().patterns)


@of_the_hub
def test_a_recipe_can_name_another_checkpoint_device_and_type(entry: Provider) -> None:
    taken = arguments(entry)
    for name in ("checkpoint", "device", "dtype"):
        assert taken[name].kind is inspect.Parameter.KEYWORD_ONLY, name
        assert taken[name].default is not inspect.Parameter.empty, name


@every
def test_it_uses_the_detector_that_it_takes(entry: Provider) -> None:
    assert set(entry.uses) <= set(slots())
    assert ("detect" in entry.uses) == ("detector" in arguments(entry))


@of_the_hub
def test_a_class_of_the_hub_knows_its_entry(entry: Provider) -> None:
    if issubclass(entry.kind(), HubModel) and not is_made_of_others(entry):
        model = entry.kind()()
        assert (model.slot, model.provider_name) == (entry.slot, entry.name)


@of_the_hub
def test_the_option_that_names_a_checkpoint_is_one_of_a_recipe(entry: Provider) -> None:
    place = "experts" if entry.slot == "edit" else f"models.{entry.slot}"
    assert f"`checkpoint` of `{place}`" in entry.without_commit
    assert entry.checkpoint_kind().option == f"`checkpoint` of `{place}`"
    assert place == "experts" or entry.slot in Models.model_fields


def numbers(entry: Provider) -> list[tuple[str, Any]]:
    """Its options that are numbers, with how each is annotated; `seed` may be any."""
    taken = inspect.signature(entry.kind(), eval_str=True).parameters.values()
    found = []
    for each in taken:
        kinds = [get_args(kind)[0] if get_origin(kind) is Annotated else kind
                 for kind in (each.annotation, *get_args(each.annotation))]  # fmt: skip
        number = int in kinds or float in kinds
        if number and each.kind is each.KEYWORD_ONLY and each.name != "seed":
            found.append((each.name, each.annotation))
    return found


@every
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_no_number_is_below_nothing_or_without_end(entry: Provider, value: float) -> None:
    for name, _ in numbers(entry):
        with pytest.raises(ValueError, match=f"option `{name}` of {entry.name}"):
            choice_of(entry.slot, {"provider": entry.name, name: value})


@pytest.mark.parametrize(
    ("slot", "name", "option", "value"),
    [
        ("captions", "vlm", "frames", 0),
        ("captions", "vlm", "rounds", 0),
        ("captions", "blip2", "beams", 0),
        ("detect", "grounding_dino", "threshold", 1.5),
        ("track", "keyframes", "min_confidence", 2),
        ("track", "sam2_video", "match_iou", 1.01),
        ("track", "sam3", "max_objects", 0),
        ("depth", "depth_anything", "batch", 0),
        ("write", "openai", "timeout", 0),
        ("write", "openai", "attempts", 0),
        ("judge", "openai", "max_pixels", 0),
        ("judge", "reward_model", "fps", 0),
        ("region_captions", "vlm", "rounds", 0),
        ("depth", "depth_anything", "dtype", "float8"),
        ("edit", "wan_vace", "dtype", "float64"),
    ],
)
def test_an_option_out_of_bounds_is_refused(
    slot: str, name: str, option: str, value: object
) -> None:
    with pytest.raises(ValueError, match=f"option `{option}` of {name}: ") as raised:
        choice_of(slot, {"provider": name, option: value})
    assert "\n" not in str(raised.value)


@every
def test_its_defaults_are_within_its_bounds(entry: Provider) -> None:
    taken = arguments(entry)
    usual = {name: taken[name].default for name, _ in numbers(entry)}
    given = {n: value for n, value in usual.items() if value is not inspect.Parameter.empty}
    if "model" in taken:
        given["model"] = "any"
    assert choice_of(entry.slot, {"provider": entry.name, **given}).options == given
