"""The derived networks against the pinned ones."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from experts.annotate.sam2 import derived, hiera, mask_decoder, onnx_file
from experts.weights import fetch

FEATURES = ("high_res_feats_0", "high_res_feats_1", "image_embed")


def opened(file: Path | bytes) -> ort.InferenceSession:
    file = str(file) if isinstance(file, Path) else file
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # several wait for each other by turning in circles
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


@pytest.mark.weights
def test_in_float32_the_features_are_the_exported_ones_and_quantized_nearly() -> None:
    exported = fetch(derived.ENCODER)
    constants = derived.exported_constants(exported)
    unquantized = hiera.encoder(constants, keys="all", quantized=False)
    noise = np.random.default_rng(0).normal(size=(1, 3, hiera.SIDE, hiera.SIDE))
    image = {"image": noise.astype(np.float32)}
    expected = opened(exported).run(FEATURES, image)
    averaged = derived.encoder(), derived.encoder(tall=True)
    for found, tolerance in ((unquantized, 1e-5), *((path, 0.25) for path in averaged)):
        for a, b in zip(opened(found).run(FEATURES, image), expected, strict=True):
            a = a.transpose(0, 3, 1, 2)
            assert a.shape == b.shape
            assert np.abs(a - b).std() < tolerance * b.std()


@pytest.fixture(scope="module")
def decoders() -> tuple[ort.InferenceSession, ort.InferenceSession, ort.InferenceSession]:
    """As exported, derived in float32, and derived as it is run."""
    exported = fetch(derived.DECODER)
    unquantized = mask_decoder.mask_decoder(derived.exported_constants(exported), quantized=False)
    return opened(exported), opened(unquantized), opened(derived.decoder())


@pytest.mark.weights
@pytest.mark.parametrize("has_mask", [0, 1])
def test_in_float32_the_masks_are_the_exported_ones_and_quantized_nearly(
    has_mask: int,
    decoders: tuple[ort.InferenceSession, ort.InferenceSession, ort.InferenceSession],
) -> None:
    exported, unquantized, quantized = decoders
    rng = np.random.default_rng(0)
    shapes = ((1, 32, 256, 256), (1, 64, 128, 128), (1, 256, 64, 64))
    features = {
        name: rng.normal(scale=0.3, size=shape).astype(np.float32)
        for name, shape in zip(FEATURES, shapes, strict=True)
    }
    prompt = {
        "point_coords": np.array([[[100, 90], [400, 500]]], np.float32),
        "mask_input": rng.normal(scale=5, size=(1, 1, 256, 256)).astype(np.float32),
        "has_mask_input": np.array([has_mask], np.float32),
    }
    names = "masks", "iou_predictions"
    box = {"point_labels": np.array([[2, 3]], np.float32)}
    expected = exported.run(names, features | prompt | box)
    last = {name: np.moveaxis(value, 1, -1) for name, value in features.items()}
    for found, tolerance in ((unquantized, 1e-5), (quantized, 0.05)):
        for a, b in zip(found.run(names, last | prompt), expected, strict=True):
            assert a.shape == b.shape
            assert np.abs(a - b).std() < tolerance * b.std()


def test_a_derivation_cut_short_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(derived, "fetch", lambda slot: tmp_path / slot)
    monkeypatch.setattr(derived, "exported_constants", lambda path: {})

    def cut_short(constants: dict[str, onnx_file.Array], keys: str) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(hiera, "encoder", cut_short)
    with pytest.raises(KeyboardInterrupt):
        derived.encoder()
    monkeypatch.setattr(hiera, "encoder", lambda constants, keys: keys.encode())
    path = derived.encoder()
    tall = derived.encoder(tall=True)
    assert (path.read_bytes(), tall.read_bytes()) == (b"by rows", b"by columns")
    assert set(path.parent.iterdir()) == {path, tall}
    monkeypatch.setattr(hiera, "encoder", cut_short)
    assert derived.encoder() == path  # it is made once
