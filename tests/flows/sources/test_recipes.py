"""The example recipes of docs/sources.md are recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.recipe import parse
from flows.sources.stock.section import StockSection

DOCS = Path(__file__).parents[3] / "docs" / "sources.md"
EXAMPLES = re.findall(r"```yaml\n(sources:.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_are_valid(example: str) -> None:
    recipe = parse(f"name: example\nplan: {{weights: {{deblur: 1}}}}\n{example}", "docs/sources.md")
    assert parse(recipe.model_dump_json(exclude={"records"}), "dumped") == recipe


@pytest.mark.parametrize("kind", ["pexels", "pixabay"])
def test_the_outlook_of_a_site_says_what_each_build_adds(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEXELS_API_KEY", raising=False)  # nobody is asked
    text = f"[{{kind: {kind}, search: [sea, city], per_build: 20, limit: 500}}]"
    recipe = parse(f"name: x\nplan: {{weights: {{deblur: 1}}}}\nsources: {text}\n", "x")
    (section,) = recipe.sources
    assert isinstance(section, StockSection)
    line = section.outlook()
    assert line.startswith(f"{kind}: was not asked; each build adds up to 20 videos of each of its")
    assert line.endswith("2 searches, no more than 500 altogether")


def test_there_is_one_for_each_site() -> None:
    kinds = "".join(EXAMPLES)
    assert "kind: pexels" in kinds and "kind: pixabay" in kinds
