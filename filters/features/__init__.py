"""What the filters measure of a pair, computed once and shared by all of them."""

from filters.features.agreement import AGREEMENT_MEASURES
from filters.features.pair import Measures, PairFeatures, describe, measures_of
from filters.features.pixels import PIXEL_MEASURES

__all__ = [
    "AGREEMENT_MEASURES",
    "PIXEL_MEASURES",
    "Measures",
    "PairFeatures",
    "describe",
    "measures_of",
]
