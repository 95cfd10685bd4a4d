"""The embedded remover: an object goes, and what other frames saw behind it takes its place."""

from experts.edit.remover.remover import Removal, Remover, Span

__all__ = ["Removal", "Remover", "Span"]
