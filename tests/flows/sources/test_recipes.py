"""The example recipes of docs/sources.md are recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.recipe import parse

DOCS = Path(__file__).parents[3] / "docs" / "sources.md"
EXAMPLES = re.findall(r"```yaml\n(sources:.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_are_valid(example: str) -> None:
    recipe = parse(f"name: example\nplan: {{weights: {{deblur: 1}}}}\n{example}", "docs/sources.md")
    assert parse(recipe.model_dump_json(exclude={"records"}), "dumped") == recipe


def test_there_is_one_for_each_site() -> None:
    kinds = "".join(EXAMPLES)
    assert "kind: pexels" in kinds and "kind: pixabay" in kinds
