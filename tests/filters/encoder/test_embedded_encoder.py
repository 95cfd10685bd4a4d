"""The networks are what their weight files say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from filters.encoder.efficientnet import EfficientNetLite0
from filters.encoder.embedded import LEVEL_WIDTH, view_size


def test_folding_batch_norms_changes_no_output():
    torch.manual_seed(0)
    plain = EfficientNetLite0()
    for module in plain.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.6, 1.5)
    plain.eval()
    folded = EfficientNetLite0.from_weights(plain.state_dict())
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        (levels, embedding, logits), others = plain(image), folded(image)
    for a, b in zip([*levels, embedding, logits], [*others[0], *others[1:]], strict=True):
        assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("size", [(480, 854), (854, 480), (300, 300), (20, 2000)])
def test_view_size_keeps_area_and_aspect(size):
    rows, columns = view_size(*size)
    assert rows % 32 == columns % 32 == 0
    assert 0.6 < rows * columns / 160**2 < 1.5
    assert (rows > columns) == (size[0] > size[1])


@pytest.mark.weights
def test_classes_are_sane_on_footage(encoder, footage):
    names = []
    for frames in footage.values():
        classes = encoder.images(list(frames)).classes
        assert np.allclose(classes.sum(1), 1, atol=1e-4)
        names += [encoder.class_names[i] for i in np.argsort(-classes.mean(0))[:5]]
    streets = {"limousine", "taxicab", "minivan", "minibus", "traffic light", "trolleybus"}
    assert len(streets & set(names)) >= 3


@pytest.mark.weights
def test_levels_pool_by_region(encoder, moving, box):
    rows, columns = view_size(*moving.shape[1:3])
    masks = [np.zeros((rows, columns), bool) for _ in moving]
    for mask in masks:
        mask[:, : columns // 2] = True
    frames = moving.copy()
    frames[:, :, : frames.shape[2] // 2] = (200, 0, 0)
    frames[:, :, frames.shape[2] // 2 :] = (0, 0, 100)
    levels = encoder.images(list(frames), masks).levels
    assert levels.shape == (len(moving), 3, LEVEL_WIDTH)
    red = levels[:, :, 0]
    assert red[:, 1].min() > 0.7 and red[:, 2].max() < 0.05
    assert np.allclose(red[:, 0], (red[:, 1] + red[:, 2]) / 2, atol=0.02)


@pytest.mark.weights
def test_texts_that_mean_the_same_lie_together(encoder):
    texts = ["a car on the road", "an automobile on a street", "a bowl of soup"]
    vectors = encoder.texts(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    alone = np.concatenate([encoder.texts([t]) for t in texts])
    assert np.allclose(alone, vectors, atol=1e-5)
    assert encoder.texts([]).shape == (0, 384)


@pytest.mark.weights
def test_conse_of_a_sure_class_is_its_name(encoder):
    classes = np.zeros((1, 1000), np.float32)
    classes[0, encoder.class_names.index("goldfish")] = 1
    (vector,) = encoder.conse(classes)
    assert vector @ encoder.texts(["goldfish"])[0] > 0.999


@pytest.mark.weights
def test_closed_it_opens_again():
    from filters.encoder.embedded import EmbeddedEncoder

    one = EmbeddedEncoder()
    version = one.version
    one.close()
    assert one.texts(["again"]).shape == (1, 384) and one.version == version
