"""Content credentials in an export: which videos get them, and with what said inside.

Generated videos get them unless the recipe says `credentials: false`. A video is signed with the
document of its own pair as it lies beside in `provenance/`, so that the two belong together; one
video that several pairs share is signed for each of them.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from catalog.credentials import Signer, SigningIdentity, signing_identity, wanted
from catalog.errors import EditmillError
from catalog.export.format import Format
from catalog.provenance import Provenance


def identity_for(recipe: str, format: Format) -> SigningIdentity | None:
    """What signs an export of a release of this recipe; None where nothing is signed: pictures are
    not, and the videos of local edits are footage. Raises EditmillError as
    :func:`signing_identity`."""
    has_generated = format.has_videos and format.rows != "local_edits"
    return signing_identity() if has_generated and wanted(recipe) else None


class Documents:
    """The provenance documents of one split as they lie in the export, found by the pair's id.

    In memory are the ids and where each line begins, 8 bytes a pair.
    """

    def __init__(self, path: Path, ids: pl.Series) -> None:
        """`path` has a document a line, of the pairs `ids`, which are sorted."""
        self._path, self._ids = path, ids
        self._starts = array("q", [0])
        try:
            with path.open("rb") as file:
                for line in file:
                    self._starts.append(self._starts[-1] + len(line))
        except OSError as error:
            raise self._damaged(str(error.strerror)) from None
        if len(self._starts) != len(ids) + 1:
            raise self._damaged(f"{len(self._starts) - 1} documents of {len(ids)} pairs")

    def find(self, pair_id: str) -> Provenance | None:
        """The pair's document; None where the split does not hold the pair.

        Raises EditmillError where the file is not as the export wrote it.
        """
        at = bisect_left(self._ids, pair_id)
        if at == len(self._ids) or self._ids[at] != pair_id:
            return None
        try:
            with self._path.open("rb") as file:
                file.seek(self._starts[at])
                document: Provenance = json.loads(file.readline())
            if document["pair_id"] == pair_id:
                return document
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(str(error)) from None
        raise self._damaged(f"no document of {pair_id} where it belongs")

    def _damaged(self, what: str) -> EditmillError:
        return EditmillError(f"{self._path}: is damaged ({what}); delete it, and export again")


class Credentials:
    """Gives videos their credentials; may be used by several threads."""

    def __init__(self, identity: SigningIdentity, documents: Iterable[Documents]) -> None:
        self._signer = Signer(identity)
        self._documents = tuple(documents)

    def sign(self, video: Path, out: Path, pair_id: str, *, transcoded: bool = False) -> None:
        """Write `video`, the generated one of this pair, to `out` with its credentials; they say
        whether it was encoded anew for the export. Raises as :meth:`Signer.sign`."""
        self._signer.sign(video, out, self._document(pair_id), transcoded=transcoded)

    def _document(self, pair_id: str) -> Provenance:
        for documents in self._documents:
            if (found := documents.find(pair_id)) is not None:
                return found
        raise EditmillError(f"{pair_id}: has no provenance document in this export; export anew")
