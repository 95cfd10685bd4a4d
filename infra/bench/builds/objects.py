"""How many objects of each clip of a catalog suit each task: the table by which `--dry-run`
estimates (flows/commands/making/estimate/objects.py).

    python infra/bench/builds/objects.py CATALOG

CATALOG is a build of one clip of each sample, cheaply edited: the embedded recipe with all samples
as its sources, without `labels`, and `plan: {edits_per_clip: 1, weights: {deblur: 1}}`.

By the rules of the embedded recipe, and by the papers' alone, which let no edit be smaller or
shorter.
"""

from __future__ import annotations

import sys

import catalog
from flows.commands.making.estimate.objects import Suited
from flows.commands.reading.objects import choices
from flows.recipe import load


def main(root: str) -> None:
    """Prints a row a clip, by the name of its source."""
    dataset = catalog.open(root)
    small = load("embedded")
    rules = small.plan.model_copy(update={"smallest_long_side": None, "shortest_frames": None})
    found = [
        choices(dataset, small.model_copy(update={"plan": plan})) for plan in (rules, small.plan)
    ]
    joined = "clips join sources using (source_id) order by name, first_frame"
    for name, clip in dataset.sql(f"select name, clip_id from {joined}").rows():
        of_clip = (
            Suited(
                each["object_removal"],
                each["object_swap"],
                each["local_style_transfer"],
                each["object_grounding"],
            )
            for each in (by_clip[clip] for by_clip in found)
        )
        told = ", ".join(f"Suited({', '.join(map(str, one))})" for one in of_clip)
        print(f'    ("{name}", {told}),')


if __name__ == "__main__":
    main(sys.argv[1])
