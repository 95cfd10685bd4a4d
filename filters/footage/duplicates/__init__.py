"""Finds the same video under another name, size, rate or codec.

A `Fingerprinter` sees frames of a video twice a second and makes its `Fingerprint`; a `Matcher`
compares two of them over time; a `DuplicateIndex` finds the matches among many.
"""

from filters.footage.duplicates.fingerprint import Fingerprint, Fingerprinter, FrameHash
from filters.footage.duplicates.index import DuplicateIndex
from filters.footage.duplicates.match import Matcher

__all__ = ["DuplicateIndex", "Fingerprint", "Fingerprinter", "FrameHash", "Matcher"]
