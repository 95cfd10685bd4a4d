"""Contact sheets: some random kept pairs of every task as one picture each, to be looked at.

    python infra/bench/sheets.py editmill-demo sheets/ [--pairs 12] [--seed 0] [--rejected]

`editmill sheet` draws one such picture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import catalog
from catalog.media.image import write_png
from catalog.report.sheet import many_sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("catalog", type=Path)
    parser.add_argument("out", type=Path, help="folder for one PNG a task")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rejected", action="store_true", help="what was not kept instead")
    options = parser.parse_args()
    dataset = catalog.open(options.catalog)
    drawn_pairs = 0
    for task in sorted(set(dataset.pairs().select("task").collect()["task"])):
        drawn = dataset.sample(task, options.pairs, options.seed, keep=not options.rejected)
        if drawn:
            path = options.out / f"{task}.png"
            write_png(path, many_sheet([each.record for each in drawn], dataset.path).picture)
            drawn_pairs += len(drawn)
            print(f"{path}: {len(drawn)}", flush=True)
    if not drawn_pairs:
        kind = "rejected" if options.rejected else "kept"
        sys.exit(f"{options.catalog}: no {kind} pair at main; build it to its end first")


if __name__ == "__main__":
    main()
