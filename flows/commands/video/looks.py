"""The look that `editmill edit --prompt` asks of a stylizer: a colour, a material or a style."""

from __future__ import annotations

import difflib
import re
from typing import Any

from catalog.errors import EditmillError

NEAR = 0.7
"""Similarity (difflib's ratio) of words from which one may be a misspelt look: `gold`, golden."""


def look(task: str, prompt: str) -> dict[str, Any]:
    """The stylizers' parameters for the one look that a prompt names; empty for other tasks.

    Case does not matter, and spaces and hyphens count as underscores. Of names within each other
    the longest counts: `dark red` is a style and no red.

    Raises EditmillError naming what there is where it names none, and both where it names two.
    """
    if not task.endswith("style_transfer"):
        return {}
    known = _known(local=task == "local_style_transfer")
    words = "|".join(sorted(known, key=len, reverse=True))
    found = re.findall(f"(?<![a-z])(?:{words})(?![a-z])", _spelled(prompt))
    named = {_name(known[each]): known[each] for each in found}
    if len(named) > 1:
        raise EditmillError(f"--prompt {prompt!r} names {' and '.join(named)}; name one look")
    if not named:
        names = list(dict.fromkeys(_name(each) for each in known.values()))
        meant = _near(prompt, names)
        raise EditmillError(
            f"--prompt {prompt!r} names no look{meant}; use one of: {', '.join(names)}"
        )
    return next(iter(named.values()))


def _known(local: bool) -> dict[str, dict[str, Any]]:
    """The parameters of every look by its name, of a style also by what it looks like."""
    from experts.edit.style.materials import MATERIALS
    from experts.edit.style.recolor import COLOURS
    from experts.edit.style.styles import STYLES

    found: dict[str, dict[str, Any]] = {}
    if local:
        found |= {name: {"kind": "color", "color": name} for name in COLOURS}
        found |= {name: {"kind": "material", "material": name} for name in MATERIALS}
    for style in STYLES:
        asked = {"kind": "style", "style": style.name} if local else {"style": style.name}
        found |= {style.name: asked, _spelled(style.prompt): asked}
    return found


def _name(look: dict[str, Any]) -> str:
    return str(look[look.get("kind", "style")])


def _spelled(text: str) -> str:
    """As names are: `Ice-blue!` as `ice_blue`."""
    return re.sub(r"[^a-z]+", "_", text.lower()).strip("_")


def _near(prompt: str, names: list[str]) -> str:
    spelled = _spelled(prompt)
    for words in (spelled, *spelled.split("_")):
        if near := difflib.get_close_matches(words, names, 1, NEAR):
            return f" (did you mean {near[0]}?)"
    return ""
