"""A copy of a generated video with its content credentials inside."""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path

from catalog.credentials.identity import SigningIdentity, signing_identity
from catalog.credentials.manifest import manifest
from catalog.errors import EditmillError
from catalog.provenance import Provenance
from catalog.storage.files import replacing

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


def signed_copy(
    video: Path, out: Path, document: Provenance, identity: SigningIdentity | None = None
) -> None:
    """Write `video`, an MP4 of the document's generated side, to `out` with credentials inside.

    The pictures are the same to the bit; the file grows by some 4 kB. `identity` signs, or what
    :func:`signing_identity` finds. Two copies are never the same bytes: each has ids of its own.
    Raises EditmillError where `video` is missing or no MP4, `out` cannot be written, or there is
    nothing to sign with.
    """
    import c2pa  # loads 23 MB of native code

    if not video.is_file():
        raise EditmillError(f"{video}: is not there; restore it, or build again")
    media_type = mimetypes.guess_type(video.name)[0] or "application/octet-stream"
    signs = identity or signing_identity()
    info = c2pa.C2paSignerInfo(
        signs.algorithm, signs.certificates.encode(), signs.key.encode(), None
    )
    try:
        with (
            replacing(out) as unfinished,
            video.open("rb") as source,
            unfinished.open("w+b") as target,
            c2pa.Context(c2pa.Settings.from_dict(SETTINGS)) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(manifest(document, media_type), context=context) as builder,
        ):
            builder.sign(signer, media_type, source, target)
    except c2pa.C2paError as error:
        what = " ".join(str(error).split())
        raise EditmillError(
            f"{video}: cannot be given content credentials ({what}); "
            "see that it is an MP4 and the disk has room, or leave them out with "
            "`credentials: false` in the recipe"
        ) from None
