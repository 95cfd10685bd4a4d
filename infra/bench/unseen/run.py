"""What the shipped recipe makes and keeps of footage nobody tuned on, beside footage one did.

    python infra/bench/unseen/run.py --out FOLDER [--footage CLIP …] [--sheets FOLDER]

Each side of the split (split.toml) is built by `flows.build` from a folder, as a newcomer's footage
is, into a catalog below `--out`; a second run finds it there. `--footage` adds files to what is
reported on. Printed are, by task, the pairs that were made, kept, rejected by which reason and
refused before they were made; beside labels of people who looked (unseen_labels.jsonl), the
precision and recall of what is kept. `--sheets` draws every pair, to be looked at, and writes what
is to be labelled.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import catalog
from catalog.records import Failure, Pair, from_row
from experts import weights
from experts.edit.tasks import TASKS
from flows.build import build
from infra.bench.split import split
from infra.bench.unseen.labels import Labels, read
from infra.bench.unseen.sheets import draw

SIDES = ("reported_on", "tuned_on")


@dataclass(slots=True)
class Tally:
    """What became of a task's plans."""

    made: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)  # by reason
    refused: Counter[str] = field(default_factory=Counter)  # before it was made, by reason
    looked_at: Counter[tuple[bool, bool]] = field(default_factory=Counter)  # (kept, right)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.made + other.made,
            self.kept + other.kept,
            self.rejected + other.rejected,
            self.refused + other.refused,
            self.looked_at + other.looked_at,
        )


def gathered(names: Iterable[str], more: Iterable[Path], folder: Path) -> Path:
    """A folder of links to the sources, by their names."""
    files = {name: weights.fetch(name) for name in names}
    files |= {path.stem: path.resolve(strict=True) for path in more}
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        link = folder / f"{name}{path.suffix}"
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    return folder


def made_by(recipe: str, sources: Path, out: Path) -> tuple[list[Pair], list[Failure]]:
    """The pairs and failures of a build of the sources, done now or before."""
    build(recipe, str(out), source=sources)
    dataset = catalog.open(out)
    pairs = [from_row(Pair, row) for row in dataset.pairs().collect().iter_rows(named=True)]
    failures = dataset.failures().collect().iter_rows(named=True)
    return pairs, [from_row(Failure, row) for row in failures]


def tallies(pairs: Sequence[Pair], failures: Sequence[Failure], labels: Labels) -> dict[str, Tally]:
    """By task, in the order of the tasks."""
    found: dict[str, Tally] = defaultdict(Tally)
    for pair in pairs:
        tally = found[pair.task]
        tally.made += 1
        tally.kept += pair.keep
        tally.rejected.update([pair.reason] if pair.reason else [])
        right = labels.right(pair)
        if right is not None:
            tally.looked_at[pair.keep, right] += 1
    for failure in failures:
        task = failure.record.partition(" ")[0]
        if failure.stage == "edit" and task in TASKS:
            found[task].refused[failure.reason] += 1
    return {task: found[task] for task in TASKS if task in found}


def report(sides: Mapping[str, Mapping[str, Tally]]) -> None:
    """A Markdown table a side, then what was kept of either side and the gap."""
    for side, found in sides.items():
        print(f"\n## {side.replace('_', ' ')}\n")
        print("| task | made | kept | rejected | refused before it was made | precision | recall |")
        print("|---|---|---|---|---|---|---|")
        for task, tally in [*found.items(), ("**all**", _sum(found))]:
            counts = (_counts(tally.rejected), _counts(tally.refused), *_agreement(tally))
            print(f"| {task} | {tally.made} | {tally.kept} | {' | '.join(counts)} |")
    print("\n## The gap\n\n| | " + " | ".join(side.replace("_", " ") for side in sides) + " |")
    print("|---" * (len(sides) + 1) + "|")
    sums = [_sum(found) for found in sides.values()]
    rows = {
        "kept of made": [_share(tally.kept, tally.made) for tally in sums],
        "refused of planned": [
            _share(tally.refused.total(), tally.made + tally.refused.total()) for tally in sums
        ],
        "precision of what is kept": [_agreement(tally)[0] for tally in sums],
        "recall of what is right": [_agreement(tally)[1] for tally in sums],
    }
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")


def _sum(found: Mapping[str, Tally]) -> Tally:
    return sum(found.values(), Tally())


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in counter.most_common())


def _agreement(tally: Tally) -> tuple[str, str]:
    """Precision and recall of the keep decision among the pairs that were looked at."""
    right = tally.looked_at[True, True]
    kept = right + tally.looked_at[True, False]
    good = right + tally.looked_at[False, True]
    return _share(right, kept), _share(right, good)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where the catalogs lie")
    parser.add_argument("--footage", type=Path, nargs="*", default=[], help="reported on, too")
    parser.add_argument("--recipe", default="embedded")
    parser.add_argument("--sides", choices=SIDES, nargs="+", default=SIDES)
    parser.add_argument("--sheets", type=Path, help="folder for pictures of every pair")
    options = parser.parse_args()
    sources = {"reported_on": split().reported_on, "tuned_on": split().tuned_on}
    labels = read()
    found: dict[str, Mapping[str, Tally]] = {}
    for side in options.sides:
        out = options.out / side
        more = options.footage if side == "reported_on" else ()
        folder = gathered(sources[side], more, options.out / f"{side}_footage")
        pairs, failures = made_by(options.recipe, folder, out)
        found[side] = tallies(pairs, failures, labels)
        for failure in failures:
            if failure.stage != "edit":
                print(f"# {side}: {failure.stage} {failure.record}: {failure.message}")
        if options.sheets:
            draw(pairs, catalog.open(out).path, labels, options.sheets / side)
    report(found)


if __name__ == "__main__":
    main()
