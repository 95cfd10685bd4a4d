"""Where a pair comes from, as one JSON document per pair."""

from catalog.provenance.document import VERSION, Provenance
from catalog.provenance.read import provenance, provenances

__all__ = ["VERSION", "Provenance", "provenance", "provenances"]
