"""A version says all that the product depends on, and nothing of the machine."""

import dataclasses
from typing import Any

import pytest

from experts import weights
from experts.annotate.maps import edges, hed_int8
from experts.annotate.maps.edges import Hed
from experts.annotate.sam2 import derived
from experts.annotate.tracking.segment import Segmenter
from experts.edit import tasks
from experts.write.chat.models import LlamaCppChat
from experts.write.writer import InstructionWriter
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.filter import QualityFilter
from filters.quality.model import QualityModel


@pytest.mark.parametrize("slot", Segmenter.slots)
def test_the_segmenters_is_of_both_networks(slot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(name: str) -> weights.WeightsEntry:
        entry = weights.entry(name)
        return dataclasses.replace(entry, sha256="0" * 64) if name == slot else entry

    before = Segmenter().version
    monkeypatch.setattr(derived, "entry", changed)
    assert Segmenter().version != before


def test_heds_is_the_same_on_every_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = set()
    for has in (True, False):
        monkeypatch.setattr(hed_int8, "supported", lambda has=has: has)
        versions.add(Hed().version)
    assert len(versions) == 1


def test_the_quality_filters_is_of_its_encoder_too(monkeypatch: pytest.MonkeyPatch) -> None:
    model = QualityModel((), "any")
    changed = dataclasses.replace(model, offsets=(1.0,) * 4)
    before = QualityFilter(EmbeddedEncoder(), model).version
    assert QualityFilter(EmbeddedEncoder(), changed).version != before
    monkeypatch.setattr(EmbeddedEncoder, "version", "2+other")
    assert QualityFilter(EmbeddedEncoder(), model).version != before


def test_the_writers_is_of_how_candidates_are_drawn() -> None:
    chat = LlamaCppChat()
    versions = {
        InstructionWriter(chat, **how).version for how in ({}, {"candidates": 3}, {"rounds": 1})
    }
    versions.add(InstructionWriter(chat, temperature=0.1).version)
    versions.add(InstructionWriter(LlamaCppChat(threads=3, parallel=8)).version)
    assert len(versions) == 4  # threads change no word


@pytest.mark.weights
@pytest.mark.parametrize(
    "task", sorted(name for name, task in tasks.TASKS.items() if not task.checkpoint)
)
def test_an_expert_names_every_file_it_opens(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expert = tasks.expert_for(task)
    opened = set()
    fetch = weights.fetch

    def recorded(slot: str, *more: Any) -> Any:
        opened.add(slot)
        return fetch(slot, *more)

    import experts.threads

    monkeypatch.setattr(experts.threads, "fetch", recorded)
    monkeypatch.setattr(edges, "fetch", recorded)
    expert.close()
    tasks.expert_for("object_removal").close()
    expert.load()
    expert.close()
    assert opened == set(getattr(expert, "slots", ()))
