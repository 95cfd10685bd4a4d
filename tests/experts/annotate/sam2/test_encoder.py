"""The derived encoder against the pinned one."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from experts.annotate.sam2 import encoder, hiera, onnx_file
from experts.weights import fetch

FEATURES = ("high_res_feats_0", "high_res_feats_1", "image_embed")


def test_quantized_weights_are_near_and_their_sums_fit_sixteen_bits() -> None:
    matrix = np.random.default_rng(0).normal(size=(96, 288)).astype(np.float32)
    matrix[:, 5] = 0
    levels, scale = hiera.quantize(matrix)
    assert np.abs(levels * scale - matrix).max() <= np.abs(matrix).max() / 126 * 1.001
    assert 2 * 255 * int(np.abs(levels.astype(int)).max()) < 2**15
    assert not (levels * scale)[:, 5].any()


@pytest.mark.weights
def test_in_float32_the_features_are_the_exported_ones_and_quantized_nearly() -> None:
    exported = fetch(encoder.SLOT)
    constants = encoder.exported_constants(exported)
    unquantized = hiera.encoder(constants, keys="all", quantized=False)
    averaged = encoder.path(), encoder.path(tall=True)
    noise = np.random.default_rng(0).normal(size=(1, 3, hiera.SIDE, hiera.SIDE))
    image = {"image": noise.astype(np.float32)}

    def features(file: Path | bytes) -> list[np.ndarray]:
        file = str(file) if isinstance(file, Path) else file
        session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
        return session.run(list(FEATURES), image)

    expected = features(exported)
    for found, tolerance in ((unquantized, 1e-5), *((path, 0.25) for path in averaged)):
        for a, b in zip(features(found), expected, strict=True):
            assert a.shape == b.shape
            assert np.abs(a - b).std() < tolerance * b.std()


def test_a_derivation_cut_short_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(encoder, "fetch", lambda slot: tmp_path / slot)
    monkeypatch.setattr(encoder, "exported_constants", lambda path: {})

    def cut_short(constants: dict[str, onnx_file.Array], keys: str) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(hiera, "encoder", cut_short)
    with pytest.raises(KeyboardInterrupt):
        encoder.path()
    monkeypatch.setattr(hiera, "encoder", lambda constants, keys: keys.encode())
    path = encoder.path()
    tall = encoder.path(tall=True)
    assert (path.read_bytes(), tall.read_bytes()) == (b"by rows", b"by columns")
    assert set(path.parent.iterdir()) == {path, tall}
    monkeypatch.setattr(hiera, "encoder", cut_short)
    assert encoder.path() == path  # it is made once
