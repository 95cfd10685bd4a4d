"""`editmill calibrate`: the filters' thresholds on an encoder."""

from __future__ import annotations

import json

from flows.training.filters.encoders import encoder_named, from_option


def main(encoder: str, *, as_json: bool) -> None:
    """Measures them and prints what to write into a recipe."""
    named = from_option(encoder)
    # Imported late: this takes seconds, and the command's errors need none of it.
    from filters.calibration.measure import as_dict, measure, recipe_lines
    from flows.runtime.orchestration.run_log import tell

    found = measure(encoder_named(named), tell=tell)
    if as_json:
        print(json.dumps(as_dict(found)))
        return
    for name, each in sorted(found.items()):
        word = "" if each.decides else "; cannot tell them apart, so leave it to abstain"
        print(
            f"{name}: {each.threshold:.4f}, AUC {each.auc:.3f} ({each.right} right, {each.wrong} "
            f"wrong){word}"
        )
    if lines := recipe_lines(found):
        print(f"\nfor a recipe with this encoder:\n\n{lines}")
