"""The YAML file of `editmill train expert --config`: what is wrong in it is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import EditmillError
from flows.training.experts import settings

STEPS = "stages: [{steps: 1}]\n"


def test_keys_of_the_loop_and_beside_it_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(STEPS + "seed: 3\nbase: /weights\nevaluate: {min_gain: 0.1}\n")
    recipe, beside = settings.load("remover", file)
    assert (recipe.expert, recipe.seed, recipe.steps) == ("remover", 3, 1)
    assert (beside.base, beside.evaluate.min_gain) == (Path("/weights"), 0.1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STEPS + "evalute: {}", "unknown key `evalute` (did you mean `evaluate`?); this place"),
        (STEPS + "init_form: base", "unknown key `init_form` (did you mean `init_from`?)"),
        (STEPS + "weightdecay: 1", "unknown key `weightdecay` (did you mean `weight_decay`?)"),
        ("stages: [{step: 1}]", "unknown key `stages.0.step` (did you mean `steps`?)"),
        (STEPS + "data: {min_area: 0.4}", "`data`: `min_area` is 0.4, above `max_area`, 0.35"),
        (STEPS + "serve: {steps: yes}", "`serve`: `steps` needs a number"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(text)
    with pytest.raises(EditmillError) as told:
        settings.load("remover", file)
    assert says in str(told.value) and "\n" not in str(told.value)


def test_an_unknown_key_is_answered_with_all_that_there_are(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(STEPS + "zzz: 1")
    with pytest.raises(EditmillError, match="unknown key `zzz`; this place knows: ") as told:
        settings.load("remover", file)
    named = str(told.value).split("knows: ")[1].split(", ")
    assert {"base", "init_from", "data", "evaluate", "serve", "betas", "stages"} <= set(named)
