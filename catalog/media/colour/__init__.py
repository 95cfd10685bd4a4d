"""Decoded frames as the RGB that a player shows."""
