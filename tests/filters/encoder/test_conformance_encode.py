"""What every provider of the slot `encode` must do; one with a checkpoint gets a maker here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experts.base import Model
from experts.providers import chosen, providers
from experts.providers.choice import choice_of
from filters.encoder.base import Encoder, Encoding

pytestmark = pytest.mark.weights

MAKERS = {"open_clip": "tests.checkpoints.open_clip"}
"""Modules that make a tiny checkpoint of a provider."""


@pytest.fixture(scope="module", params=sorted(providers("encode")))
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    options: dict[str, Any] = {"provider": request.param}
    if request.param in MAKERS:
        pytest.importorskip(request.param)
        make = __import__(MAKERS[request.param], fromlist=["make"]).make
        folder: Path = make(tmp_path_factory.mktemp(request.param))
        options |= {"checkpoint": str(folder), "device": "cpu", "batch": 20}
    encoder: Encoder = chosen(choice_of("encode", options))
    return encoder


def test_views_become_vectors_of_their_frames(each: Encoder, moving, box) -> None:
    assert isinstance(each, Model) and each.scale and each.version
    before = moving.copy()
    other = np.ascontiguousarray(moving[:5, ::-1])
    whole, masked, short = each.encode([(moving, None), (moving, box), (other, None)])
    for seen, count in ((whole, 17), (masked, 17), (short, 5)):
        assert isinstance(seen, Encoding)
        assert seen.embedding.dtype == np.float32 and len(seen.embedding) == count
        assert np.isfinite(seen.embedding).all()
    assert whole.embedding.shape[1:] == masked.embedding.shape[1:] == short.embedding.shape[1:]
    assert not np.allclose(whole.embedding[:5], short.embedding)
    assert np.array_equal(moving, before)
    assert each.encode([]) == []


def test_company_does_not_move_a_vector(each: Encoder, moving, box) -> None:
    other = np.ascontiguousarray(moving[:, :, ::-1])
    together = each.encode([(other, None), (moving, box)])[1].embedding
    alone = each.encode([(moving, box)])[0].embedding
    assert np.allclose(together, alone, atol=1e-5)


def test_texts_are_unit_vectors_whatever_their_company(each: Encoder) -> None:
    two = each.texts(["a red car", "watercolor style " * 40])
    assert two.shape[0] == 2 and two.dtype == np.float32
    assert np.linalg.norm(two, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert not np.allclose(two[0], two[1])
    assert np.array_equal(each.texts(["a dog", "a red car"])[1], two[0])
    assert len(each.texts([])) == 0


def test_the_same_again_after_closing_and_in_threads(each: Encoder, moving) -> None:
    each.load()
    each.load()
    first = each.encode([(moving, None)])[0].embedding.tobytes()
    words = each.texts(["a red car"]).tobytes()
    version, scale = each.version, each.scale
    with ThreadPoolExecutor(2) as pool:
        again = list(pool.map(lambda _: each.encode([(moving, None)])[0], range(2)))
    assert {one.embedding.tobytes() for one in again} == {first}
    each.close()
    assert (each.version, each.scale) == (version, scale)
    assert each.encode([(moving, None)])[0].embedding.tobytes() == first
    assert each.texts(["a red car"]).tobytes() == words
