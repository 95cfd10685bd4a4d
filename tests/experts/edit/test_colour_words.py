"""What hand-painted people and vehicles are called by their colours."""

import numpy as np
import pytest
from numpy.typing import NDArray

from experts.edit.swap.colour_words import colour_words

BLACK, DARK, GREY, LIGHT = (5, 5, 5), (40, 40, 40), (105, 105, 105), (190, 190, 190)
RED, BLUE, SKIN = (200, 30, 30), (40, 60, 130), (205, 150, 120)


def called(label: str, *bands: tuple[tuple[int, int, int], int]) -> str:
    """Of a figure painted in bands of (colour, rows), from the top, on a grey street."""
    rows = [row for colour, count in bands for row in [colour] * count]
    picture = np.full((len(rows) + 40, 80, 3), 128, np.uint8)
    inside = np.zeros(picture.shape[:2], bool)
    inside[20:-20, 20:60] = True
    picture[20:-20, 20:60] = np.array(rows, np.uint8)[:, None]
    whole: NDArray[np.uint8] = picture
    return colour_words(whole, inside, whole, label)


@pytest.mark.parametrize(
    ("body", "word"),
    [(RED, "red"), (DARK, "dark"), (LIGHT, "light-coloured"), (GREY, "")],
)
def test_a_vehicle_is_called_by_its_body_and_not_its_windows(
    body: tuple[int, int, int], word: str
) -> None:
    assert called("car", (LIGHT, 5), (BLACK, 30), (body, 35), (BLACK, 20)) == word


@pytest.mark.parametrize(
    ("top", "legs", "words"),
    [
        (RED, BLUE, "red"),
        (DARK, BLACK, "dark clothes"),
        (LIGHT, LIGHT, "light clothes"),
        (DARK, BLUE, "a dark top and blue trousers"),
        (LIGHT, DARK, "a light top and dark trousers"),
        (DARK, SKIN, ""),
        (GREY, BLUE, ""),
    ],
)
def test_a_person_is_called_by_what_they_wear(
    top: tuple[int, int, int], legs: tuple[int, int, int], words: str
) -> None:
    assert called("person", (SKIN, 16), (top, 40), (legs, 44)) == words


def test_a_dark_coat_with_red_sleeves_is_not_dark() -> None:
    assert called("person", (SKIN, 20), (DARK, 22), (RED, 8), (BLACK, 50)) == ""
