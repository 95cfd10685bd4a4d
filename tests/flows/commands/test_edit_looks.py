"""Which look the prompt of `editmill edit` asks a stylizer for."""

from __future__ import annotations

import pytest

from catalog.errors import EditmillError
from flows.commands.video.looks import look


@pytest.mark.parametrize(
    ("prompt", "kind", "name"),
    [
        ("red", "color", "red"),
        ("Make it RED, really red!", "color", "red"),
        ("GOLDEN", "material", "golden"),
        ("ice blue", "style", "ice_blue"),
        ("Ice-blue", "style", "ice_blue"),
        ("dark red", "style", "dark_red"),
        ("dark_red", "style", "dark_red"),
        ("dark red, dark red", "style", "dark_red"),
        ("golden engraving", "style", "golden_engraving"),
        ("an expressionist painting in dark red and black", "style", "dark_red"),
        ("A soft Watercolor painting", "style", "watercolor"),
    ],
)
def test_a_look_is_found_by_its_longest_name(prompt: str, kind: str, name: str) -> None:
    assert look("local_style_transfer", prompt) == {"kind": kind, kind: name}
    if kind == "style":
        assert look("global_style_transfer", prompt) == {"style": name}


def test_a_clips_style_is_no_colour() -> None:
    assert look("global_style_transfer", "a white cartoon") == {"style": "cartoon"}
    assert look("deblur", "red") == {}


@pytest.mark.parametrize(
    ("task", "prompt", "says"),
    [
        ("local_style_transfer", "not red but green", "names red and green; name one look"),
        ("local_style_transfer", "charcoal white", "names charcoal and white; name one look"),
        ("local_style_transfer", "dark red, or red", "names dark_red and red; name one look"),
        ("global_style_transfer", "a cartoon, or pop art", "names cartoon and pop_art; name one"),
        ("local_style_transfer", "GOLD", "names no look (did you mean golden?); use one of: red,"),
        ("local_style_transfer", "colored pencil", "did you mean coloured_pencil?"),
        ("local_style_transfer", "infrared", "names no look; use one of: red, "),
        ("global_style_transfer", "red", "names no look; use one of: ochre_impressionism, "),
    ],
)
def test_none_and_two_are_told_in_one_line(task: str, prompt: str, says: str) -> None:
    with pytest.raises(EditmillError) as told:
        look(task, prompt)
    assert says in str(told.value) and "\n" not in str(told.value)
