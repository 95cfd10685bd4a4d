"""What people write wrong in a YAML file is told in one line that says how to mend it."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from catalog.errors import EditmillError
from catalog.validated import Part, mapping, validated


class Cat(Part):
    kind: Literal["cat"]
    lives: int = Field(default=9, ge=1)
    claws: bool = True
    weight: float | None = None  # kg


class Dog(Part):
    kind: Literal["dog"]
    trick: str = ""


class House(Part):
    street: str = Field(description="where the house stands")
    pets: tuple[Annotated[Cat | Dog, Field(discriminator="kind")], ...] = ()
    rooms: dict[str, Dog] = Field(default_factory=dict)
    areas: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)  # m²


def read(text: str) -> House:
    return validated(House, mapping(text, "house.yaml", "a house is a mapping"), "house.yaml")


def test_reads() -> None:
    house = read("street: Elm\npets: [{kind: cat, lives: 7}]")
    assert house.street == "Elm" and house.pets == (Cat(kind="cat", lives=7),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("street: [", "not valid YAML"),
        ("- 1", "a house is a mapping"),
        (
            "street: Elm\nroof: red",
            "unknown key `roof`; this place knows: areas, pets, rooms, street",
        ),
        ("roof: red", "unknown key `roof`"),  # and not the missing street
        ("roof: red", "(and 1 more)"),
        ("street: Elm\nroom: {}", "unknown key `room` (did you mean `rooms`?); this place knows"),
        (
            "street: Elm\npets: [{kind: cat, trick: sit}]",
            "this place knows: claws, kind, lives, weight",
        ),
        ("street: Elm\nrooms: {hall: {kind: dog, lives: 1}}", "this place knows: kind, trick"),
        ("street: Elm\npets: [{kind: cat, lives: 0}]", "`pets.0.cat.lives`: "),
        ("pets: []", "`street` is missing; add it: where the house stands"),
    ],
)
def test_one_line_names_the_place(text: str, says: str) -> None:
    with pytest.raises(EditmillError) as told:
        read(text)
    assert str(told.value).startswith("house.yaml: ") and "\n" not in str(told.value)
    assert says in str(told.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pets: [{kind: cat, lives: yes}]", "`pets.0.cat`: `lives` needs a number, and yes, no, "),
        ("pets: [{kind: cat, weight: true}]", "`weight` needs a number"),
        ("areas: {hall: no}", "house.yaml: `areas.hall` needs a number"),
    ],
)
def test_a_boolean_is_no_number(text: str, says: str) -> None:
    with pytest.raises(EditmillError) as told:
        read(f"street: Elm\n{text}")
    assert says in str(told.value)


def test_numbers_and_booleans_are_read_where_they_belong() -> None:
    house = read(
        "street: Elm\npets: [{kind: cat, claws: no, weight: 4}]\nareas: {hall: 9, shed: 1e-1}"
    )
    assert house.pets == (Cat(kind="cat", claws=False, weight=4.0),)
    assert house.areas == {"hall": 9.0, "shed": 0.1}  # `1e-1` is a text in YAML


def test_a_key_that_stands_twice_is_refused_and_not_overwritten() -> None:
    text = "plan: {deblur: 1}\nrun: {}\nplan: {upscaling: 1}\n"
    with pytest.raises(EditmillError, match=r"`plan` stands in line 1 and again in line 3"):
        mapping(text, "recipe.yaml", "a mapping")
    anchored = mapping("a: &x {k: 1}\nb: {<<: *x, j: 2}\nc: {<<: *x}\n", "r", "a mapping")
    assert anchored["b"] == {"k": 1, "j": 2} and anchored["c"] == {"k": 1}
