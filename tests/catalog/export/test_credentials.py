"""Content credentials in exports, as an independent reader sees them: generated videos carry those
of their own pair, nothing else carries any, and a recipe switches them off."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

import catalog
from catalog.credentials import provenance_sha256, signing_identity
from catalog.credentials.identity import CERTIFICATES, KEY, own_identity
from catalog.errors import EditmillError
from catalog.export.formats import format_named
from catalog.export.run import export
from catalog.media import write_video
from catalog.policy import Policy
from catalog.provenance import Provenance
from catalog.releases import Catalog
from tests.catalog.export.compared import actions, is_valid, report, said, videos
from tests.catalog.export.conftest import Export
from tests.editmill.small_catalog import FPS, bar, make_pair
from tests.parts import by_key

SIDES = {"src": "source", "tgt": "target", "source": "source", "target": "target"}
"""Which side a file shows, by a part of its name or its folder."""


def documents(out: Path) -> dict[str, Provenance]:
    lines = [
        json.loads(line)
        for path in (out / "provenance").iterdir()
        for line in path.read_text().splitlines()
    ]
    return {each["pair_id"]: each for each in lines}


def named(name: str) -> tuple[str, str]:
    """Pair and side of a video's name: `train/source/ID.mp4` or `ID.src.mp4` in a tar."""
    path = Path(name)
    pair_id, _, short = path.stem.partition(".")
    return pair_id, SIDES[short or path.parent.name]


@pytest.mark.parametrize("name", ["webdataset", "huggingface", "diffsynth-ltx2", "ltx-trainer"])
def test_generated_videos_carry_those_of_their_own_pair(
    name: str, run: Export, dataset: Catalog, tmp_path: Path
) -> None:
    done = run(name, tmp_path / "out", splits={"train": 0.5, "test": 0.5})
    beside, signed, encoded = documents(tmp_path / "out"), 0, 0
    of_one_video = defaultdict(set)
    for file, content in videos(tmp_path / "out"):
        pair_id, side = named(file)
        told, record = report(content), dataset.pair(pair_id).record
        if side != record.generated_side:
            assert not told["present"]
            continue
        assert is_valid(told)
        signed += 1
        encoded += actions(told)[-1]["action"] == "c2pa.transcoded"
        assert said(told)["pair_id"] == pair_id and said(told)["task"] == record.task
        assert said(told)["provenance_sha256"] == provenance_sha256(beside[pair_id])
        of_one_video[said(told)["media_sha256"]].add(pair_id)
    assert done.signed == signed == sum(done.splits.values())
    assert max(map(len, of_one_video.values())) > 1  # pairs share a video
    needs = format_named(name).needs.alike  # these are encoded anew: no pair has 24 frames/s
    assert encoded == (signed if needs else 0)
    assert done.files.get("re-encoded video", 0) == (2 * signed if needs else 0)


def test_chosen_and_rejected_carry_their_own(run: Export, tmp_path: Path) -> None:
    done = run("preferences", tmp_path / "out")
    told = {Path(name).parent.name: report(content) for name, content in videos(tmp_path / "out")}
    assert not told.pop("source")["present"] and done.signed == 2
    verdicts = {pair: each["verdict"]["keep"] for pair, each in documents(tmp_path / "out").items()}
    for folder, each in told.items():
        assert is_valid(each) and verdicts[said(each)["pair_id"]] == (folder == "chosen")


@pytest.mark.parametrize("name", ["vivid", "instruct-pix2pix"])
def test_footage_and_pictures_carry_none(name: str, run: Export, tmp_path: Path) -> None:
    assert run(name, tmp_path / "out").signed == 0
    assert not any(report(content)["present"] for _, content in videos(tmp_path / "out"))
    assert "Content credentials" not in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("name", ["vivid", "instruct-pix2pix"])
def test_what_is_not_signed_needs_no_identity(
    name: str, run: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CERTIFICATES, str(tmp_path / "none.pem"))
    monkeypatch.setenv(KEY, str(tmp_path / "none.pem"))
    with pytest.raises(EditmillError, match="cannot be read"):
        run("vefx", tmp_path / "signed")
    assert run(name, tmp_path / "out").made


@pytest.mark.parametrize("name", ["webdataset", "huggingface", "diffsynth-ltx2"])
def test_a_changed_byte_is_found(name: str, run: Export, tmp_path: Path) -> None:
    run(name, tmp_path / "out", where="task = 'object_removal'")
    (signed,) = (c for _, c in videos(tmp_path / "out") if report(c)["present"])
    changed = bytearray(signed)
    changed[changed.rindex(b"mdat") + 40] ^= 1
    assert is_valid(report(signed)) and not is_valid(report(bytes(changed)))


def test_the_card_names_the_certificate(run: Export, tmp_path: Path) -> None:
    done = run("vefx", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    identity = signing_identity()
    assert f"{done.signed} generated videos carry C2PA content credentials" in card
    assert f"`{identity.common_name}`" in card and identity.sha256 in card
    assert identity.common_name == "editmill" and len(identity.sha256) == 64


def test_another_certificate_is_refused(
    run: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("vefx", tmp_path / "out")
    own_identity(tmp_path / "other")
    for name in (CERTIFICATES, KEY):
        monkeypatch.setenv(name, str(tmp_path / "other" / "signing.pem"))
    with pytest.raises(EditmillError, match="another certificate"):
        run("vefx", tmp_path / "out")


@pytest.mark.parametrize("change", ["cut", "reordered"])
def test_changed_documents_sign_nothing(change: str, run: Export, tmp_path: Path) -> None:
    run("vefx", tmp_path / "out")
    lines = tmp_path / "out" / "provenance" / "train.jsonl"
    first, *others = lines.read_text().splitlines(keepends=True)
    lines.write_text("".join(others if change == "cut" else [*others, first]))
    for video in (tmp_path / "out" / "train" / "target").iterdir():
        video.unlink()
    with pytest.raises(EditmillError, match="delete it, and export again") as told:
        run("vefx", tmp_path / "out")
    assert "\n" not in str(told.value)
    lines.unlink()
    run("vefx", tmp_path / "out")
    assert sum(is_valid(report(content)) for _, content in videos(tmp_path / "out")) == 6


def test_a_recipe_switches_them_off_at_main_and_at_a_release(tmp_path: Path) -> None:
    """Recipes that differ in nothing but this share a selection, and each release keeps its own."""
    opened = catalog.open(tmp_path / "set", create=True)
    with opened.media.writing(".mp4") as video:
        write_video(video.path, bar(), FPS)
    for tag, recipe in (("on", "{}"), ("off", '{"credentials": false}')):
        made = opened.select("one", recipe, Policy(()), "1")
        made.tables.put("pairs", by_key([make_pair("deblur", video.ref, video.ref)]))
        made.become_main()
        made.release(tag, recipe)
    for ref, signed in (("on", 1), ("off", 0), ("main", 0)):
        out = tmp_path / ref
        done = export(catalog.open(tmp_path / "set", ref), format_named("vefx"), out)
        present = [report(content)["present"] for _, content in videos(out)]
        assert done.signed == signed == sum(present) and done.linked == 2 - signed
    opened.select("one", "{}", Policy(()), "1").become_main()
    done = export(catalog.open(tmp_path / "set"), format_named("vefx"), tmp_path / "again")
    assert done.signed == 1
