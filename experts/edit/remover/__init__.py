"""The embedded remover: removes an object and fills its place with what other frames show there."""

from experts.edit.remover.remover import Removal, Remover, TemporalContext
from experts.edit.remover.settings import RemoverSettings

__all__ = ["Removal", "Remover", "RemoverSettings", "TemporalContext"]
