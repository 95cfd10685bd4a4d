"""A copy of a generated video with its content credentials inside."""

from __future__ import annotations

import io
import json
from pathlib import Path

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
    :func:`signing_identity` finds; `transcoded` as in :func:`signed`. Two copies are never the same
    bytes. Raises EditmillError where `video` is missing or no MP4, `out` cannot be written, or
    there is nothing to sign with.
    """
    content = signed(video, document, identity or signing_identity(), transcoded=transcoded)
    with replacing(out) as unfinished:
        unfinished.write_bytes(content)


def signed(
    video: Path,
    document: Provenance,
    identity: SigningIdentity,
    *,
    transcoded: bool = False,
) -> bytes:
    """The content of `video` with credentials inside; c2pa goes back and forth in what it writes,
    which takes half the time in memory: twice the file's size.

    `transcoded` says that `video` was made of the catalog's file by encoding it anew, and the
    credentials say so. Each signature has salts of its own, for which c2pa takes no seed. Raises
    EditmillError where `video` is missing or no MP4.
    """
    import c2pa  # loads 23 MB of native code

    if not video.is_file():
        raise EditmillError(f"{video}: is not there; restore it, or build again")
    info = c2pa.C2paSignerInfo(
        identity.algorithm, identity.certificates.encode(), identity.key.encode(), None
    )
    definition = manifest(document, MEDIA_TYPE, transcoded=transcoded)
    target = io.BytesIO()
    try:
        with (
            io.BytesIO(video.read_bytes()) as source,
            c2pa.Context(c2pa.Settings.from_dict(SETTINGS)) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(definition, context=context) as builder,
        ):
            builder.sign(signer, MEDIA_TYPE, source, target)
    except c2pa.C2paError as error:
        what = " ".join(str(error).split())
        raise EditmillError(
            f"{video}: cannot be given content credentials ({what}); "
            "see that it is an MP4, or leave them out with `credentials: false` in the recipe"
        ) from None
    except OSError as error:
        raise EditmillError(f"{video}: cannot be read ({error.strerror}); restore it") from None
    return target.getvalue()
