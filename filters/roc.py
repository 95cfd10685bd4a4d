"""The area under the ROC curve, by which the filters' scores are measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def auc(positive: Sequence[float] | NDArray, negative: Sequence[float] | NDArray) -> float:
    """How often a positive's score exceeds a negative's, 0–1; ties count half.

    Both need at least one score: otherwise the result is NaN.
    """
    a, b = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float((a > b).mean() + 0.5 * (a == b).mean())
