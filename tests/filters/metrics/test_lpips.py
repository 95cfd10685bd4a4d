"""LPIPS: the reference implementation's figures, and what a mask does to them."""

import pickle

import numpy as np
import pytest

from filters.metrics import mean
from filters.metrics.lpips import Lpips, _read

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    made = Lpips()
    made.load()
    return made


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 255, (1, height, width, 3), np.uint8)
    return a, np.clip(a.astype(int) + rng.integers(-40, 40, a.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "reference"), [(64, 64, 0.0154645), (97, 131, 0.0219988)]
)
def test_it_is_the_reference_implementations(
    lpips: Lpips, height: int, width: int, reference: float
) -> None:
    """`lpips` 0.1.4, net="alex", version 0.1, on the same arrays."""
    assert lpips.distance(*pair(height, width)) == pytest.approx([reference], abs=2e-6)


def test_equal_outside_is_zero_and_no_outside_is_nothing(lpips: Lpips) -> None:
    a, b = pair(64, 96)
    masks = np.zeros((1, 64, 96), bool)
    assert lpips.distance(a, b, masks) == pytest.approx(lpips.distance(a, b), abs=1e-6)
    masks[..., :48] = True
    edited = a.copy()
    edited[:, :, :48] = b[:, :, :48]
    assert lpips.distance(a, edited, masks) == pytest.approx([0], abs=1e-7)
    assert lpips.distance(a, edited)[0] > 0.003
    masks[:] = True
    assert mean(lpips.distance(a, b, masks)) is None
    assert mean(lpips.distance(a[:, :20], b[:, :20])) is None  # too small for the network


def test_a_pickle_of_anything_but_arrays_is_refused(tmp_path) -> None:
    path = tmp_path / "weights.ckpt"
    path.write_bytes(pickle.dumps({"a": print}))
    with pytest.raises(pickle.UnpicklingError, match="no place among weights"):
        _read(path)
