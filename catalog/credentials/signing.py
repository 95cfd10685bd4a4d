"""A copy of a generated video with its content credentials inside."""

from __future__ import annotations

import json
from pathlib import Path

from catalog.credentials.boxes import NotAnMp4, insert
from catalog.credentials.embedding import add_hash, placeholder, signed_box
from catalog.credentials.identity import SigningIdentity, signing_identity
from catalog.credentials.manifest import manifest
from catalog.errors import EditmillError
from catalog.provenance import Provenance
from catalog.storage.files import replacing

MEDIA_TYPE = "video/mp4"
"""Of every video that an expert makes (:mod:`catalog.media.encode`)."""

SETTINGS = {
    "verify": {"verify_after_sign": False},  # it would read the whole copy again
    "builder": {"thumbnail": {"enabled": False}},
}


def wanted(recipe: str) -> bool:
    """Whether videos of a release of this recipe (`Release.recipe`) get credentials: unless it says
    `credentials: false`."""
    try:
        values = json.loads(recipe)
    except ValueError:
        return True
    return not isinstance(values, dict) or values.get("credentials", True) is not False


class Signer:
    """Puts content credentials into videos; may be used by several threads at once."""

    def __init__(self, identity: SigningIdentity) -> None:
        """`identity` signs. Loads c2pa's 23 MB of native code."""
        import c2pa

        info = c2pa.C2paSignerInfo(
            identity.algorithm, identity.certificates.encode(), identity.key.encode(), None
        )
        settings = c2pa.Settings.from_dict(SETTINGS)
        self._context = c2pa.Context(settings, c2pa.Signer.from_info(info))

    def sign(
        self, video: Path, out: Path, document: Provenance, *, transcoded: bool = False
    ) -> None:
        """Write `video`, an MP4 of the document's generated side, to `out` with credentials inside;
        an error leaves `out` unfinished.

        `transcoded` says that `video` was made of the catalog's file by encoding it anew, and the
        credentials say so. Each signature has salts of its own, for which c2pa takes no seed.
        Raises EditmillError where `video` is missing or no MP4, OSError where `out` cannot be
        written.
        """
        import c2pa

        definition = manifest(document, MEDIA_TYPE, transcoded=transcoded)
        try:
            source = video.open("rb")
        except FileNotFoundError:
            raise EditmillError(f"{video}: is not there; restore it, or build again") from None
        except OSError as error:
            raise EditmillError(f"{video}: cannot be read ({error.strerror}); restore it") from None
        with source, out.open("w+b") as target:
            try:
                with c2pa.Builder(definition, context=self._context) as builder:
                    place = insert(placeholder(builder, MEDIA_TYPE), source, target)
                    add_hash(builder, MEDIA_TYPE, target)
                    target.seek(place)
                    target.write(signed_box(builder, MEDIA_TYPE))
            except (c2pa.C2paError, NotAnMp4) as error:
                what = " ".join(str(error).split())
                raise EditmillError(
                    f"{video}: cannot be given content credentials ({what}); see that it is an "
                    "MP4, or leave them out with `credentials: false` in the recipe"
                ) from None


def signed_copy(
    video: Path,
    out: Path,
    document: Provenance,
    identity: SigningIdentity | None = None,
    *,
    transcoded: bool = False,
) -> None:
    """Write `video`, an MP4 of the document's generated side, to `out` with credentials inside.

    The pictures are the same to the bit; the file grows by some 4 kB. `identity` signs, or what
    :func:`signing_identity` finds; `transcoded` as in :meth:`Signer.sign`. Two copies are never the
    same bytes. Raises EditmillError where `video` is missing or no MP4, `out` cannot be written, or
    there is nothing to sign with.
    """
    signer = Signer(identity or signing_identity())
    with replacing(out) as unfinished:
        signer.sign(video, unfinished, document, transcoded=transcoded)
