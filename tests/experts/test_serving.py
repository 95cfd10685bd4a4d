"""How a recipe's `experts` are read, and how a pair leads back to what made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import TypeAdapter, ValidationError

from catalog.errors import EditmillError
from catalog.query import Queries
from catalog.records import Pair
from experts import serving
from experts.edit.tasks import TASKS, TRAINED, expert_for
from experts.edit.video.wan_vace import WanVACE
from experts.providers.choice import Choice, choice_of
from experts.providers.models import Models
from experts.providers.registry import provider, providers

READER: TypeAdapter[dict[str, str | Choice]] = TypeAdapter(dict[str, serving.ExpertChoice])

NO_CATALOG = cast(Queries, None)
"""Nothing here is trained from one."""


def pair_of(task: str, expert: Any, params: dict[str, Any]) -> Pair:
    row = type("Row", (), {"pair_id": "p", "task": task, "expert": expert.name, "params": params})
    return cast(Pair, row)


def test_strings_stay_strings() -> None:
    given = {"remover": "embedded", "object_swap": "cogvideox@latest/pyramid"}
    assert READER.validate_python(given) == given
    assert READER.dump_python(READER.validate_python(given), mode="json") == given


def test_an_editor_is_named_alone_or_with_options(tmp_path: Path) -> None:
    options = {"checkpoint": str(tmp_path), "frames": 49}
    given = {"object_swap": "wan_vace", "remover": {"provider": "wan_vace", **options}}
    read = READER.validate_python(given)
    assert read["object_swap"] == Choice(slot="edit", provider="wan_vace")
    assert read["remover"] == Choice(slot="edit", provider="wan_vace", options=options)
    written = READER.dump_python(read, mode="json")
    assert written["remover"] == given["remover"] and READER.validate_python(written) == read
    assert serving.provider_of(read, "object_addition") == read["remover"]
    assert serving.provider_of(read, "local_style_transfer") == serving.EMBEDDED
    assert [serving.name_of(each) for each in read.values()] == ["wan_vace", "wan_vace"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("wan", "'wan' is no expert; give embedded, cogvideox@latest, .* or one of wan_vace"),
        ("cogvideox@", "is no expert"),
        ({"provider": "wan_vace", "frame": 5}, "wan_vace has no option `frame`; there are: "),
        ({"provider": "wan_vace", "frames": 8}, "`frames` of wan_vace: .*give 4n \\+ 1"),
        ({"provider": "wan_vace", "structure": "pose"}, "`structure` of wan_vace: "),
        ({"frames": 5}, "give a mapping with `provider`"),
    ],
)
def test_what_cannot_be_read_is_told(given: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        READER.validate_python({"object_swap": given})


def test_every_editor_serves_what_a_recipe_may_ask_of_it() -> None:
    asked = {task.name for task in TASKS.values() if task.trained}
    for name in providers("edit"):
        assert set(provider("edit", name).kind().tasks) >= asked


def test_experts_that_take_a_first_frame_are_those_of_the_specs() -> None:
    from experts.diffusion.expert import GUIDED
    from experts.diffusion.specs import EXPERTS

    assert set(serving.FROM_FRAME) == set(GUIDED)
    assert set(serving.FROM_FRAME) == {n for n in TRAINED if EXPERTS[n].first_frame}


def test_a_pair_leads_back_to_its_editor(tmp_path: Path) -> None:
    swaps = choice_of("edit", {"provider": "wan_vace", "checkpoint": str(tmp_path), "steps": 7})
    with_frame = Models.model_validate(
        {"first_frame": {"provider": "flux2_klein", "checkpoint": str(tmp_path)}}
    )
    recipe: dict[str, str | Choice] = {"object_swap": swaps}
    expert = serving.serving(NO_CATALOG, recipe, "object_swap", with_frame)
    assert isinstance(expert, WanVACE) and expert.first_frame is not None
    assert serving.serving(NO_CATALOG, recipe, "object_swap", with_frame) is expert
    assert serving.serving(NO_CATALOG, recipe, "object_swap") is not expert

    params = serving.served_by(recipe, "object_swap", with_frame)
    assert params["served_by"]["first_frame"]["provider"] == "flux2_klein"
    assert serving.that_made(NO_CATALOG, pair_of("object_swap", expert, params)) is expert
    alone = serving.serving(NO_CATALOG, recipe, "object_swap")
    without = serving.served_by(recipe, "object_swap", Models())
    assert serving.that_made(NO_CATALOG, pair_of("object_swap", alone, without)) is alone

    gone = {"served_by": {"edit": {"provider": "wan_vace", "sharpness": 3}}}
    with pytest.raises(EditmillError, match="p: what made it is not known here any more"):
        serving.that_made(NO_CATALOG, pair_of("object_swap", expert, gone))


def test_an_embedded_pair_holds_nothing_more() -> None:
    with_frame = Models.model_validate({"first_frame": "flux2_klein"})
    assert serving.served_by({}, "object_swap", with_frame) == {}
    assert serving.served_by({"remover": "cogvideox@abc"}, "object_removal", with_frame) == {}
    guided = serving.served_by({"inpainter": "cogvideox@abc"}, "object_swap", with_frame)
    assert guided == {"served_by": {"first_frame": {"provider": "flux2_klein"}}}
    embedded = expert_for("object_swap")
    assert serving.that_made(NO_CATALOG, pair_of("object_swap", embedded, {})) is embedded


def test_editors_need_no_catalog_to_be_pinned(tmp_path: Path) -> None:
    recipe: dict[str, str | Choice] = {"object_swap": choice_of("edit", "wan_vace")}
    assert serving.pinned(recipe, tmp_path / "none") == recipe


def test_what_generates_a_swap() -> None:
    with_frame = Models.model_validate({"first_frame": "flux2_klein"})
    assert serving.generates(
        {"object_swap": choice_of("edit", "wan_vace")}, "object_swap", Models()
    )
    assert serving.generates({"inpainter": "cogvideox@abc"}, "object_swap", with_frame)
    assert not serving.generates({"inpainter": "cogvideox@abc"}, "object_swap", Models())
    assert not serving.generates({}, "object_swap", with_frame)
    assert not serving.generates({"remover": "cogvideox@abc"}, "object_removal", with_frame)


def test_a_first_frame_may_be_chosen_by_task() -> None:
    models = Models.model_validate({"first_frame": {"object_swap": "flux2_klein"}})
    inpainter, stylizer = "cogvideox@abc", "cogvideox@def"
    recipe: dict[str, str | Choice] = {"inpainter": inpainter, "global_stylizer": stylizer}
    assert serving.generates(recipe, "object_swap", models)
    assert not serving.generates(recipe, "global_style_transfer", models)
    assert "first_frame" in serving.served_by(recipe, "object_swap", models)["served_by"]
    assert "first_frame" not in serving.served_by(recipe, "global_style_transfer", models)
