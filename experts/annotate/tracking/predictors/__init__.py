"""Trackers that segment all objects of a clip by a video model with a memory of past frames."""
