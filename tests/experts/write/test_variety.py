import pytest

from experts.write.variety import distinct


def test_distinct_n_of_known_texts() -> None:
    assert distinct(["Erase the dog.", "Erase the cat."], 1) == pytest.approx(4 / 6)
    assert distinct(["Erase the dog.", "Erase the cat."], 2) == pytest.approx(3 / 4)
    assert distinct(["Erase the dog."] * 10, 2) == pytest.approx(2 / 20)
    assert distinct([], 2) == 0.0
    assert distinct(["Erase."], 2) == 0.0
