"""What a generated video's credentials say, in C2PA's terms, from its provenance document.

They name the footage by its hash alone, and nothing of the user or the machine.
"""

from __future__ import annotations

import functools
import hashlib
import json
from importlib.metadata import version
from typing import Any

from catalog.provenance import Provenance
from catalog.provenance.document import Ingredient

TITLES = {"parentOf": "source footage", "inputTo": "source footage", "componentOf": "footage"}


def provenance_sha256(document: Provenance) -> str:
    """The hash of a provenance document: SHA-256 of its JSON with sorted keys and no blanks. Signed
    with the video, it binds the document beside it."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def manifest(document: Provenance, media_type: str, *, transcoded: bool = False) -> dict[str, Any]:
    """The manifest's definition as c2pa's `Builder` takes it; `transcoded` where the video was
    encoded anew since the expert made it."""
    agent = {"name": "editmill", "version": _version()}
    actions = _actions(document, agent)
    if transcoded:
        actions.append({"action": "c2pa.transcoded", "softwareAgent": agent})
    return {
        "claim_generator_info": [agent],
        "title": f"{document['task']} {document['pair_id']}",
        "format": media_type,
        "ingredients": [
            _ingredient(number, each) for number, each in enumerate(document["ingredients"])
        ],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "created": True,  # the signer's own statement, not gathered from elsewhere
                "data": {"actions": actions},
            }
        ],
    }


@functools.cache
def _version() -> str:
    return version("editmill")


def _ingredient(number: int, ingredient: Ingredient) -> dict[str, Any]:
    return {
        "label": f"ingredient{number}",
        "title": TITLES[ingredient["relationship"]],
        "relationship": ingredient["relationship"],
        "instance_id": f"urn:sha256:{ingredient['source_id']}",
    }


def _actions(document: Provenance, agent: dict[str, str]) -> list[dict[str, Any]]:
    """An edit of the footage (opened, footage of another clip placed, edited), or a picture made
    anew (created)."""
    made = {
        "softwareAgent": agent,
        "digitalSourceType": document["edit"]["digital_source_type"],
        "parameters": _parameters(document),
    }
    named = [
        (each["relationship"], {"ingredientIds": [f"ingredient{number}"]})
        for number, each in enumerate(document["ingredients"])
    ]
    if any(relationship == "parentOf" for relationship, _ in named):
        words = {"parentOf": "c2pa.opened", "componentOf": "c2pa.placed"}
        before = [{"action": words[word], "parameters": which} for word, which in named]
        return [*before, {"action": "c2pa.edited", **made}]
    inputs = [label for _, which in named for label in which["ingredientIds"]]
    return [
        {
            "action": "c2pa.created",
            **made,
            "parameters": {**_parameters(document), "ingredientIds": inputs},
        }
    ]


def _parameters(document: Provenance) -> dict[str, Any]:
    edit, plan = document["edit"], document["plan"]
    return {
        "pair_id": document["pair_id"],
        "task": document["task"],
        "expert": edit["expert"],
        "expert_version": edit["expert_version"],
        "seed": edit["seed"],
        **({"plan_id": plan["plan_id"]} if plan else {}),
        "media_sha256": document["media"][edit["generated_side"]]["sha256"],
        "provenance_sha256": provenance_sha256(document),
    }
