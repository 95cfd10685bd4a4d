"""What the filters measure of a pair, computed once and shared by all of them."""

from filters.features.agreement import AGREEMENT_MEASURES
from filters.features.pair import PairFeatures, describe
from filters.features.pixels import PIXEL_MEASURES

__all__ = ["AGREEMENT_MEASURES", "PIXEL_MEASURES", "PairFeatures", "describe"]
