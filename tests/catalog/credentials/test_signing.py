"""Credentials inside a video, as an independent reader sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.credentials import (
    SigningIdentity,
    provenance_sha256,
    signed_copy,
    wanted,
)
from catalog.errors import EditmillError
from catalog.media import read_video
from catalog.provenance import Provenance
from tests.catalog.credentials.conftest import EDITS, PLACE, document_of

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture
def signed(video: Path, document: Provenance, identity: SigningIdentity, tmp_path: Path) -> Path:
    out = tmp_path / "signed.mp4"
    signed_copy(video, out, document, identity)
    return out


def assertions(report: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    told = report["manifest_report"]
    found: dict[str, list[dict[str, Any]]] = {}
    for each in told["manifests"][told["active_manifest"]]["assertions"]:
        found.setdefault(each["label"].split("__")[0], []).append(each["data"])
    return found


def codes(report: dict[str, Any]) -> set[str]:
    return {each["code"] for each in report["validation_results"]["failure"]}


def test_an_independent_reader_verifies_them(signed: Path, read):
    report = read(signed)
    assert (report["integrity"], report["signature"]) == ("valid", "valid")
    assert report["hard_binding"] == "match"
    # nobody vouches for a certificate made on first use, and that is all there is to say
    assert codes(report) == {"signingCredential.untrusted"}


def test_whoever_knows_the_authority_trusts_the_signer(
    signed: Path, identity: SigningIdentity, read
):
    root = "-----BEGIN" + identity.certificates.split("-----BEGIN")[-1]
    report = read(signed, trust_pem=root, no_default_trust=True)
    assert report["trust"]["status"] == "valid_for_supplied_material" and not codes(report)


def test_they_say_how_it_was_made(signed: Path, document: Provenance, read):
    told = assertions(read(signed))
    ((actions,),) = ([each["actions"] for each in told["c2pa.actions.v2"]],)
    made = actions[-1]
    assert made["softwareAgent"]["name"] == "editmill" and made["softwareAgent"]["version"]
    assert made["digitalSourceType"] == document["edit"]["digital_source_type"]
    said = made["parameters"]
    assert (said["seed"], said["task"]) == (7, "object_removal")
    assert said["expert_version"] == document["edit"]["expert_version"]
    assert said["media_sha256"] == "b" * 64
    assert said["provenance_sha256"] == provenance_sha256(document)
    footage = {each["instanceID"]: each["relationship"] for each in told["c2pa.ingredient.v3"]}
    assert footage[f"urn:sha256:{'5' * 64}"] == document["ingredients"][0]["relationship"]


@pytest.mark.parametrize(
    ("kind", "source_type", "actions"),
    [
        ("footage edited by a network", "compositeWithTrainedAlgorithmicMedia",
         ["c2pa.opened", "c2pa.edited"]),
        ("footage edited by arithmetic", "algorithmicallyEnhanced",
         ["c2pa.opened", "c2pa.edited"]),
        ("everything made by a network", "trainedAlgorithmicMedia", ["c2pa.created"]),
        ("footage pasted in", "compositeWithTrainedAlgorithmicMedia",
         ["c2pa.opened", "c2pa.placed", "c2pa.edited"]),
    ],
)  # fmt: skip
def test_each_kind_of_edit_has_its_actions(
    kind: str, source_type: str, actions: list[str], video: Path, identity, tmp_path: Path, read
):
    out = tmp_path / "out.mp4"
    signed_copy(video, out, document_of(tmp_path, EDITS[kind]), identity)
    told = assertions(read(out))
    (found,) = (each["actions"] for each in told["c2pa.actions.v2"])
    assert [each["action"] for each in found] == actions
    assert found[-1]["digitalSourceType"] == IPTC + source_type
    # every ingredient is named by the action that took it in
    linked = [i for each in found for i in each.get("parameters", {}).get("ingredients", [])]
    assert len(linked) == len(told["c2pa.ingredient.v3"]) == 1 + (kind == "footage pasted in")


def test_they_hold_no_path_and_no_name(signed: Path, document: Provenance):
    data = signed.read_bytes()
    assert document["ingredients"][0]["uri"] == PLACE
    for private in (PLACE, "somebody", str(signed.parent), str(Path.home() / "")):
        assert private.encode() not in data


def test_pictures_and_the_catalogs_own_file_stay_as_they_were(
    video: Path, document: Provenance, identity: SigningIdentity, tmp_path: Path, read
):
    before, out = video.read_bytes(), tmp_path / "signed.mp4"
    signed_copy(video, out, document, identity)
    assert video.read_bytes() == before and read(video)["present"] is False
    assert np.array_equal(read_video(video), read_video(out))
    assert 0 < out.stat().st_size - len(before) < 6000
    assert not list(tmp_path.glob(".*"))  # nothing unfinished is left


@pytest.mark.parametrize("place", ["picture", "statement"])
def test_a_changed_byte_is_found(signed: Path, read, place: str):
    data = bytearray(signed.read_bytes())
    at = data.rindex(b"mdat") + 300 if place == "picture" else data.index(b"object_removal") + 2
    data[at] ^= 1
    signed.write_bytes(data)
    report = read(signed)
    assert report["integrity"] != "valid" and codes(report) - {"signingCredential.untrusted"}


def test_the_document_beside_is_bound(document: Provenance):
    again = json.loads(json.dumps(document))
    assert provenance_sha256(again) == provenance_sha256(document)
    again["edit"]["seed"] += 1
    assert provenance_sha256(again) != provenance_sha256(document)


@pytest.mark.parametrize(
    ("recipe", "there"),
    [("{}", True), ('{"credentials": true}', True), ('{"credentials": false}', False),
     ("sources: {}", True)],
)  # fmt: skip
def test_a_recipe_can_switch_them_off(recipe: str, there: bool):
    assert wanted(recipe) is there


def test_what_cannot_be_signed(video: Path, identity: SigningIdentity, tmp_path: Path):
    document, out = document_of(tmp_path, {}), tmp_path / "out.mp4"
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    masks = tmp_path / "masks.mkv"
    masks.write_bytes(b"\x1a\x45\xdf\xa3")
    for wrong in (text, masks):
        with pytest.raises(EditmillError, match="see that it is an MP4") as told:
            signed_copy(wrong, out, document, identity)
        assert "\n" not in str(told.value) and identity.key not in str(told.value)
    with pytest.raises(EditmillError, match="is not there"):
        signed_copy(tmp_path / "gone.mp4", out, document, identity)
    with pytest.raises(EditmillError, match="its folder does not exist"):
        signed_copy(video, tmp_path / "no" / "out.mp4", document, identity)
    assert not out.exists()
