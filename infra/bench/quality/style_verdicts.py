"""How often the quality filter drops right styles and keeps broken ones, on both sides of the
split. The result is in infra/bench/results/quality.md.

    python infra/bench/quality/style_verdicts.py --kept FOLDER [--only tuned_on reported_on]
        [--footage VIDEO ...] [--windows 1] [--kinds KIND ...]

The pairs are those of infra/bench/quality/style_pairs.py, in `folder` once they are made, so that
they need not be painted again when a limit moves (12 core-seconds a window). A style that means few
tones is not posterised. Sources of `tuned_on` are scored by the folds not trained on them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from experts.weights import fetch
from filters.encoder.embedded import EmbeddedEncoder
from filters.features import measures_of
from filters.quality.checks import fault
from filters.quality.filter import QualityFilter
from filters.quality.model import SHIPPED
from filters.quality.wording import means_few_tones
from infra.bench.quality.style_pairs import WINDOWS, StylePair, real_source, rendered_source
from infra.bench.quality.styles import POSTERISED
from infra.bench.quality.unseen import RIGHT, report
from infra.bench.split import rendered_split, split

PARTS = ("tuned_on", "reported_on")


PairsOf = Callable[[int, Path], list[StylePair]]


def sources(part: str, footage: Sequence[Path]) -> dict[str, PairsOf]:
    """What gives a source's pairs of a window and a folder, by the source's name."""
    paths = {name: fetch(name) for name in getattr(split(), part)}
    if part == "reported_on":
        paths |= {path.stem: path for path in footage}
    real = {
        name: lambda number, folder, name=name, path=path: list(
            real_source(name, path, number, folder)
        )
        for name, path in paths.items()
    }
    rendered = {
        name: lambda number, folder, name=name: list(rendered_source(name, number, folder))
        for name in getattr(rendered_split(), part)
    }
    return real | rendered


def judged(judge: QualityFilter, pairs: Sequence[StylePair]) -> Iterator[tuple[StylePair, str]]:
    """Each pair and the reason why it is rejected, or nothing; what has a plain fault needs no
    score."""
    measured = measures_of([pair.sample for pair in pairs])
    found = [fault(pair.sample, m) for pair, m in zip(pairs, measured, strict=True)]
    rest = [pair for pair, plain in zip(pairs, found, strict=True) if not plain]
    verdicts = iter(judge.judge([pair.sample for pair in rest]))
    for pair, plain in zip(pairs, found, strict=True):
        yield pair, plain or next(verdicts).reason


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kept", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--footage", type=Path, nargs="*", default=[], metavar="VIDEO")
    parser.add_argument("--windows", type=int, choices=range(1, WINDOWS + 1), default=1)
    parser.add_argument("--kinds", nargs="*", help="these alone (default: all)")
    options = parser.parse_args()
    judge = QualityFilter(EmbeddedEncoder(), SHIPPED)
    for part in options.only:
        rows: list[tuple[str, str, str, bool]] = []
        reasons: Counter[tuple[str, str]] = Counter()
        for name, pairs_of in sources(part, options.footage).items():
            for number in range(options.windows):
                pairs = [
                    pair
                    for pair in pairs_of(number, options.kept)
                    if not (pair.kind == POSTERISED and means_few_tones(pair.sample.prompt))
                    and (not options.kinds or pair.kind in options.kinds)
                ]
                for pair, reason in judged(judge, pairs):
                    rows.append((pair.sample.task, name, pair.kind, not reason))
                    reasons[pair.kind, reason] += 1
                    if (pair.kind == RIGHT) == bool(reason):
                        print(
                            f"  {name}-{number} {pair.sample.task} {pair.kind}: {reason or 'kept'}"
                        )
            print(f"{part} {name}", flush=True)
        report(part, rows)
        print("  reasons: " + ", ".join(f"{k} {r} {n}" for (k, r), n in sorted(reasons.items())))


if __name__ == "__main__":
    main()
