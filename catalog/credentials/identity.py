"""Who signs: the user's own certificates and key, or a pair of certificates made on first use.

A certificate made here says `editmill` and nothing about the user or the machine. Nobody vouches
for it, and a reader says so: the signature shows that a file is as it was signed, not by whom.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import filelock
import platformdirs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from catalog.errors import EditmillError
from catalog.storage.files import replacing, unwritable

CERTIFICATES = "EDITMILL_SIGNING_CERTIFICATES"
"""Environment variable: a PEM file with the signing certificate and those above it, in order."""

KEY = "EDITMILL_SIGNING_KEY"
"""Environment variable: a PEM file with the signing certificate's private key, not encrypted."""

FILE = "signing.pem"
"""Own key and certificates, in the user's configuration folder for editmill."""

LIFETIME = timedelta(days=3650)
"""Of own certificates. No timestamp authority is asked, so that a reader holds them against the day
of reading."""

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

_ECDSA = {256: "es256", 384: "es384", 521: "es512"}  # by the size of the curve


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """What signs. `algorithm` is C2PA's name of it; `certificates` is PEM, the signer's first."""

    algorithm: str
    certificates: str
    key: str = field(repr=False)

    @property
    def common_name(self) -> str:
        """Whose certificate it is, as readers show it; empty where it names nobody."""
        names = self._leaf().subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else ""

    @property
    def sha256(self) -> str:
        """Of the signer's certificate (DER), in hex, as `openssl x509 -fingerprint` has it."""
        return self._leaf().fingerprint(SHA256()).hex()

    def _leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificates.encode())


def signing_identity() -> SigningIdentity:
    """The identity that the environment names, else this user's own, made if there is none yet.

    Raises EditmillError where files cannot be read or written, are no certificates or no key, do
    not belong together, or a certificate is not valid today.
    """
    certificates, key = os.environ.get(CERTIFICATES), os.environ.get(KEY)
    if certificates and key:
        return _read(Path(certificates).expanduser(), Path(key).expanduser())
    if certificates or key:
        raise EditmillError(f"set both {CERTIFICATES} and {KEY}, or neither")
    return own_identity(Path(platformdirs.user_config_dir("editmill")))


def own_identity(folder: Path) -> SigningIdentity:
    """The identity kept in `folder`, made if there is none. Raises as :func:`signing_identity`."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with filelock.FileLock(folder / f"{FILE}.lock"):
            if not path.exists():
                with replacing(path) as temporary:
                    temporary.touch(mode=0o600)
                    temporary.write_bytes(_made())
    except OSError as error:
        raise unwritable(path, error) from None
    return _read(path, path)


def _read(certificates: Path, key: Path) -> SigningIdentity:
    chain = _parsed(certificates, "certificates", x509.load_pem_x509_certificates)
    private = _parsed(key, "unencrypted private key", lambda data: load_pem_private_key(data, None))
    if _public(private.public_key()) != _public(chain[0].public_key()):
        raise EditmillError(f"{key}: is not the key of the first certificate in {certificates}")
    now = datetime.now(UTC)
    for each in chain:
        if not each.not_valid_before_utc <= now <= each.not_valid_after_utc:
            mend = "delete it for a new one" if certificates == key else "renew it"
            raise EditmillError(
                f"{certificates}: a certificate is valid from {each.not_valid_before_utc:%Y-%m-%d} "
                f"to {each.not_valid_after_utc:%Y-%m-%d} only; {mend}"
            )
    return SigningIdentity(
        _algorithm(private, key), "".join(map(_pem, chain)), _private_pem(private).decode()
    )


def _parsed(path: Path, what: str, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise EditmillError(
            f"{path}: cannot be read ({error.strerror}); check {CERTIFICATES} and {KEY}"
        ) from None
    except (ValueError, TypeError):  # their texts may quote the file
        raise EditmillError(f"{path}: holds no {what} in PEM; name another file") from None


def _algorithm(key: PrivateKeyTypes, path: Path) -> str:
    match key:
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case ec.EllipticCurvePrivateKey() if key.curve.key_size in _ECDSA:
            return _ECDSA[key.curve.key_size]
        case rsa.RSAPrivateKey() if key.key_size >= 2048:
            return "ps256"
    raise EditmillError(
        f"{path}: C2PA knows no signature by such a key; use Ed25519, P-256, P-384, P-521 or RSA "
        "of at least 2048 bits"
    )


def _made() -> bytes:
    """A new key, its certificate and that of the authority that signed it, whose own key is
    forgotten: C2PA wants a chain, no certificate that signs itself."""
    key, authority = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    issuer, holder = _name("editmill, made on first use"), _name("editmill")
    root = (
        _certificate(issuer, issuer, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(authority, None)
    )
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    leaf = (
        _certificate(holder, issuer, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        # Readers take a claim's signature only with one of a few purposes; all know this one.
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(above, critical=False)
        .sign(authority, None)
    )
    return _private_pem(key) + (_pem(leaf) + _pem(root)).encode()


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "editmill"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: ed25519.Ed25519PublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(**allowed: bool) -> x509.KeyUsage:
    none = dict.fromkeys(_USAGES, False)
    return x509.KeyUsage(**none | allowed)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _private_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
