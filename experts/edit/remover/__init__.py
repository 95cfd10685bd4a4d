"""The embedded remover: removes an object and fills its place with what other frames show there."""

from experts.edit.remover.remover import RemovalResult, Remover, TemporalContext
from experts.edit.remover.settings import RemoverSettings

__all__ = ["RemovalResult", "Remover", "RemoverSettings", "TemporalContext"]
