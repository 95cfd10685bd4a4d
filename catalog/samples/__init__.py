"""Pairs with their frames and masks, as a notebook or a training loop wants them."""

from catalog.samples.pair import PairSample, Part

__all__ = ["PairSample", "Part"]
