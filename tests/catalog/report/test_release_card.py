"""A release's data card says what the release holds."""

import catalog
from catalog.policy import Policy, Threshold
from catalog.records import Source
from catalog.report.release_card import card_key
from tests.editmill.small_catalog import make_pair
from tests.parts import by_key

POLICY = Policy((Threshold("quality", "at_least", "edit_failed", 0.5, {"upscaling": 0.9}),))


def test_it_says_counts_sources_thresholds_licences_and_models(tmp_path):
    at = catalog.open(tmp_path, create=True).select("one", "{}", POLICY, "1.0")
    made = dict(output_licence="Apache-2.0", may_train=True, subtle_score=None)
    pairs = [
        make_pair("upscaling", "media/ab/a.mp4", "media/ab/b.mp4", quality_score=score, **made)
        for score in (0.95, 0.8)
    ]
    at.tables.put("pairs", by_key(pairs), derive=POLICY.decide)
    source = Source("s", "street.mp4", "file:street | one", "CC-BY-4.0", 64, 48, 25.0, 40, "h264")
    at.tables.put("sources", by_key([source]))
    models = {"quality@1": {"licence": "MIT", "origin": "shipped"}}
    at.release("v1", '{"name": "tiny"}', "the first", code="1.0", models=models)

    card = (tmp_path / card_key("v1")).read_text()
    for line in (
        "| upscaling | 2 | 1 |",
        "- `quality` keeps at least 0.5, 0.9 for upscaling",
        "| upscaling | edit_failed | 1 |",
        "| CC-BY-4.0 | street.mp4 | file:street \\| one |",
        "| tiny | Apache-2.0 | yes | 1 |",
        "| quality@1 | MIT | shipped |",
        '  "name": "tiny"',
    ):
        assert line in card.splitlines(), line
    assert "by editmill 1.0. Notes: the first" in card

    at.become_main()
    catalog.open(tmp_path).decide("v2", POLICY.changed(off=("quality",)))
    decided = (tmp_path / card_key("v2")).read_text()
    assert "| upscaling | 2 | 2 |" in decided and "`quality` is off" in decided
