"""Abilities (slots) and the models that can serve each (providers): see `registry`."""

from experts.providers.choice import Choice, chosen
from experts.providers.registry import Provider, provider, providers, slots

__all__ = ["Choice", "Provider", "chosen", "provider", "providers", "slots"]
