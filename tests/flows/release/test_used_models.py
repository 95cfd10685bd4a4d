"""`models` names what took part in what the catalog holds, whatever lies in the cache."""

from pathlib import Path

import pytest

import catalog
from catalog.records import Clip, Pair, Source, from_row
from experts import weights
from experts.edit.tasks import expert_for
from flows.recipe import parse
from flows.release.used_models import model_rows
from flows.runtime.context import Context, context
from tests.flows.tiny_training import write_catalog, write_pairs
from tests.parts import by_key

RECIPE = """
name: tiny
sources: [{kind: folder, path: v}]
plan: {weights: {deblur: 1, object_removal: 1, hed_detection: 1}}
"""


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "empty"))  # nothing is loaded, or here
    return context(tmp_path / "catalog", parse(RECIPE, "tiny"))


def names(ctx: Context) -> set[str]:
    return {row.name for row in model_rows(ctx)}


SHOTS = {"transnetv2", "ppocr_v4_detection"}  # every source is looked at for text as well
TRACKS = {"efficientdet_lite2", "sam2_tiny_encoder", "sam2_tiny_decoder"}
JUDGES = {"efficientnet_lite0", "minilm", "minilm_tokenizer", "imagenet_classes"}
FOR_PAIRS = JUDGES | {"smollm2_135m", "quality", "alignment"}


def test_a_catalog_without_products_names_nothing(ctx: Context) -> None:
    assert names(ctx) == set()


def test_footage_and_what_cut_and_tracked_it(ctx: Context) -> None:
    sample = weights.entry("clip_bikes")
    own = Source("0" * 64, "mine", "file", "CC0", 64, 48, 25.0, 40, "h264")
    ctx.catalog.tables.put("sources", by_key([own]))
    assert names(ctx) == SHOTS  # the user's own footage is no model
    theirs = Source(sample.sha256, "any name", "pkg", "BSD", 64, 48, 25.0, 40, "h264")
    ctx.catalog.tables.put("sources", by_key([theirs]))
    assert names(ctx) == SHOTS | {"clip_bikes"}
    clip = Clip("c", own.source_id, "u", "CC0", "media/ab/x.mp4", 0, 40, 25.0, 64, 48)
    ctx.catalog.tables.put("clips", by_key([clip]))
    assert names(ctx) == SHOTS | TRACKS | {"clip_bikes"}


def test_each_expert_of_a_pair_brings_its_weights(tmp_path: Path, ctx: Context) -> None:
    root = tmp_path / "made"
    write_catalog(root)
    write_pairs(root)
    row = from_row(Pair, catalog.open(root).pairs().head(1).collect().row(0, named=True))

    def with_pair(task: str, expert: str) -> set[str]:
        made = {"pair_id": task + expert, "task": task, "expert": expert}
        ctx.catalog.tables.put("pairs", by_key([Pair(**{**row_of(row), **made})]))
        return names(ctx)

    assert with_pair("deblur", expert_for("deblur").name) == FOR_PAIRS  # an expert without weights
    assert with_pair("object_removal", "cogvideox-remover") == FOR_PAIRS  # not who serves here
    assert with_pair("object_removal", "remover-flow") == FOR_PAIRS | {"migan"}
    assert with_pair("hed_detection", "hed") == FOR_PAIRS | {"migan", "hed_bsds500"}
    licences = {r.name: r.licence for r in model_rows(ctx)}
    entry = weights.entry("migan")
    assert licences["migan"] == f"{entry.licence} ({entry.licence_from})"
    assert licences["quality"] == "Apache-2.0"


def row_of(pair: Pair) -> dict[str, object]:
    return {name: getattr(pair, name) for name in Pair.__dataclass_fields__}
