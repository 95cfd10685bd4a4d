"""Who signs, and what is said where that cannot be."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from catalog.credentials import identity as identities
from catalog.credentials import signed_copy, signing_identity
from catalog.credentials.identity import CERTIFICATES, KEY, own_identity
from catalog.errors import EditmillError
from tests.catalog.credentials.conftest import document_of


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's configuration folder, empty, and no identity in the environment."""
    monkeypatch.delenv(CERTIFICATES, raising=False)
    monkeypatch.delenv(KEY, raising=False)
    folder = tmp_path / "configuration"
    monkeypatch.setattr(identities.platformdirs, "user_config_dir", lambda name: str(folder / name))
    return folder / "editmill"


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Path, Path]]:
    """`given(key)`: a chain for the key and the key itself as files, named by the environment."""

    def write(key) -> tuple[Path, Path]:
        authority = ec.generate_private_key(ec.SECP256R1())
        name, issuer = identities._name("somebody"), identities._name("an authority")
        root = (
            identities._certificate(issuer, issuer, authority.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(identities._usage(key_cert_sign=True), critical=True)
            .sign(authority, SHA256())
        )
        leaf = (
            identities._certificate(name, issuer, key.public_key())
            .add_extension(identities._usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION]), False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False
            )
            .sign(authority, SHA256())
        )
        certificates, private = tmp_path / "chain.pem", tmp_path / "key.pem"
        certificates.write_text(identities._pem(leaf) + identities._pem(root))
        private.write_bytes(identities._private_pem(key))
        monkeypatch.setenv(CERTIFICATES, str(certificates))
        monkeypatch.setenv(KEY, str(private))
        return certificates, private

    return write


def told(text: str) -> str:
    with pytest.raises(EditmillError, match=text) as error:
        signing_identity()
    assert "\n" not in str(error.value) and "PRIVATE" not in str(error.value)
    return str(error.value)


def test_it_is_made_once_and_only_the_user_may_read_it(own: Path):
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: signing_identity(), range(4))
    assert all(each == first for each in others) and first == signing_identity()
    assert stat.S_IMODE((own / "signing.pem").stat().st_mode) == 0o600
    assert first.key not in repr(first) and "PRIVATE" not in repr(first)
    leaf, root = x509.load_pem_x509_certificates(first.certificates.encode())
    leaf.verify_directly_issued_by(root)
    # nothing of the user or the machine
    assert {each.value for name in (leaf.subject, root.subject) for each in name} == {
        "editmill", "editmill, made on first use",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        ("ed25519", ed25519.Ed25519PrivateKey.generate),
        ("es256", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("es384", lambda: ec.generate_private_key(ec.SECP384R1())),
        ("es512", lambda: ec.generate_private_key(ec.SECP521R1())),
        ("ps256", lambda: rsa.generate_private_key(65537, 2048)),
    ],
)
def test_the_users_own_key_signs(algorithm, make, given, own, video, tmp_path, read):
    given(make())
    assert signing_identity().algorithm == algorithm and not own.exists()
    out = tmp_path / "signed.mp4"
    signed_copy(video, out, document_of(tmp_path, {}))
    report = read(out)
    assert (report["integrity"], report["hard_binding"]) == ("valid", "match")


def test_what_does_not_belong_together(given, own, monkeypatch: pytest.MonkeyPatch, tmp_path):
    certificates, key = given(ed25519.Ed25519PrivateKey.generate())
    text = key.read_text()
    key.write_bytes(identities._private_pem(ed25519.Ed25519PrivateKey.generate()))
    told("is not the key of the first certificate")
    key.write_text(text[:60])
    told("holds no unencrypted private key")
    other = ed25519.Ed25519PrivateKey.generate()
    key.write_bytes(
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    told("holds no unencrypted private key")
    certificates.write_text("nothing")
    told("holds no certificates")
    monkeypatch.setenv(CERTIFICATES, str(tmp_path / "gone.pem"))
    assert CERTIFICATES in told("cannot be read")
    monkeypatch.delenv(CERTIFICATES)
    told("set both")


def test_a_key_that_c2pa_does_not_know(given, own):
    given(rsa.generate_private_key(65537, 1024))
    told("C2PA knows no signature by such a key")


def test_an_expired_certificate_says_what_to_do(own: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(identities, "LIFETIME", -identities.timedelta(hours=1))
    told("delete it for a new one")


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EditmillError, match="cannot be written"):
        own_identity(tmp_path / "file" / "editmill")
