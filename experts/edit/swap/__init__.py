"""Object swap: another clip's object takes the place of one in the footage."""

from experts.edit.swap.settings import SwapSettings
from experts.edit.swap.swap import Swap

__all__ = ["Swap", "SwapSettings"]
