"""Content credentials (C2PA) of generated videos: a signed record, inside the file, of how it was
made.

Media in a catalog are named by their content and made again byte for byte, and a signature is never
the same twice. So a catalog's own media carry none: a video gets its credentials as it leaves the
catalog, in the copy that goes out (:func:`signed_copy`).
"""

from catalog.credentials.identity import SigningIdentity, signing_identity
from catalog.credentials.manifest import provenance_sha256
from catalog.credentials.signing import Signer, signed_copy, wanted

__all__ = [
    "Signer",
    "SigningIdentity",
    "provenance_sha256",
    "signed_copy",
    "signing_identity",
    "wanted",
]
