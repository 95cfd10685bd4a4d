"""What a catalog of many pairs costs: reading, finding, appending, releasing, deciding, resuming.

    python infra/bench/catalog_size.py [--rows 10000000] [--folder FOLDER]

The pairs are generated: ids are random, other texts are drawn from 200 each, eight pairs are one
part, as of a clip. Each figure stands beside its peer of the same run: polars on one plain parquet
copy for reading, the same catalog with 100 000 pairs for writing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_origin, get_type_hints

import numpy as np
import polars as pl

import catalog
from catalog.delta.rows import columns
from catalog.delta.writing import PART, append
from catalog.diff.pairs import changes
from catalog.layout import release_key
from catalog.policy import Policy, Threshold
from catalog.records import Pair, from_row, schema
from catalog.releases import Catalog
from catalog.releases.counts import count
from flows.recipe import parse
from flows.runtime.context import context
from flows.runtime.results import journal

POLICY = Policy(
    (
        Threshold("quality", "at_least", "edit_failed", 0.3, {"task_1": 0.2}),
        Threshold("subtle", "at_most", "subtle", 0.95),
    )
)
SMALL = 100_000  # rows of the catalog that writing is compared with
STEP = 500_000  # rows generated at once
PER_PART = 8
APPENDED = 10_000
RELEASES = 1000
RESUMED, PER_PAGE = 100_000, 32
RECIPE = "name: bench\nsources: [{kind: folder, path: none}]\nplan: {weights: {deblur: 1}}\n"


def generated(count: int, seed: int) -> pl.DataFrame:
    """`count` rows of the pairs table."""
    rng = np.random.default_rng(seed)

    def ids(n: int) -> pl.Series:
        return pl.Series([row.tobytes().hex() for row in rng.integers(0, 256, (n, 16), np.uint8)])

    clips = ids(-(-count // PER_PART))[np.arange(count) // PER_PART]
    documents = {name for name, kind in get_type_hints(Pair).items() if get_origin(kind) is dict}
    experts = rng.integers(0, 20, count)  # an expert's output has one licence
    columns: dict[str, object] = {}
    for name, dtype in schema(Pair).items():
        if name == "pair_id":
            columns[name] = ids(count)
        elif name in ("clip_id", "source_id"):
            columns[name] = clips
        elif name == "task":
            columns[name] = np.array([f"task_{n}" for n in range(18)])[rng.integers(0, 18, count)]
        elif name in ("expert", "output_licence"):
            columns[name] = np.array([f"{name} {n}" for n in range(20)])[experts]
        elif name == "may_train":
            columns[name] = experts % 2 == 0
        elif name in documents:
            columns[name] = ["{}"] * count
        elif name.endswith("_reason"):
            columns[name] = [""] * count
        elif dtype == pl.String:
            texts = np.array([f"{name}: one of many texts, number {n}" for n in range(200)])
            columns[name] = texts[rng.integers(0, 200, count)]
        elif dtype == pl.Int64:
            columns[name] = rng.integers(0, 1000, count)
        elif dtype == pl.Float64:
            columns[name] = rng.random(count)
        elif dtype == pl.Boolean:
            columns[name] = rng.random(count) < 0.5
        else:
            columns[name] = pl.Series([["say it so", "or so"]] * count, dtype=dtype)
    frame = pl.DataFrame({**columns, PART: clips}, strict=False)
    return POLICY.decide(frame.lazy().cast(pl.Schema(schema(Pair)))).collect()


def filled(folder: Path, rows: int) -> Catalog:
    """A catalog of so many pairs, written as builds would have written it, in fewer commits."""
    dataset = catalog.open(folder, create=True).select("bench", RECIPE, POLICY, "bench")
    dataset.become_main()
    stored = dataset.tables._at("pairs")
    delta = stored.create(columns("pairs"))
    for first in range(0, rows, STEP):
        frame = generated(min(STEP, rows - first), first)
        append(delta, frame, dict.fromkeys(frame[PART].unique(), 1))
    delta.create_checkpoint()
    stored.parts(delta).index(delta.version())
    return dataset


def seconds(call: Callable[[], object], times: int = 5) -> float:
    """The median of several calls."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def reading(dataset: Catalog, plain: Path) -> dict[str, float]:
    """Filter and group, at a release and on a plain copy; and single pairs."""
    release = dataset.release("read", RECIPE)
    at = catalog.open(dataset.root, release.tag)
    at.tables.scan("pairs").sink_parquet(plain)

    def grouped(frame: pl.LazyFrame) -> pl.DataFrame:
        kept = frame.filter("keep").group_by("task")
        return kept.agg(pl.len(), pl.col("quality_score").mean()).collect()

    ours, theirs = [], []
    for _ in range(7):  # in turns
        ours.append(seconds(lambda: grouped(at.pairs()), 1))
        theirs.append(seconds(lambda: grouped(pl.scan_parquet(plain)), 1))
    ids = at.pairs().select("pair_id").collect()["pair_id"].sample(8, seed=0).to_list()
    cold = seconds(lambda: at._row("pairs", "pair", ids[0]), 1)
    return {
        "group_by_seconds": statistics.median(ours),
        "group_by_of_plain_parquet": statistics.median(ours) / statistics.median(theirs),
        "lookup_cold_seconds": cold,
        "lookup_warm_seconds": statistics.median(
            seconds(partial(at._row, "pairs", "pair", i), 1) for i in ids[1:]
        ),
    }


def writing(dataset: Catalog, seed: int) -> dict[str, float]:
    """Appending new pairs part by part, releasing them, deciding all anew, and the differences."""
    new = generated(APPENDED, seed)
    parts: dict[str, list[Pair]] = {}
    for row in new.iter_rows(named=True):
        parts.setdefault(row[PART], []).append(from_row(Pair, row))
    names = list(parts)
    shards = [names[i : i + 16] for i in range(0, len(names), 16)]
    fresh = catalog.open(dataset.root).select("bench", RECIPE, POLICY, "bench")
    before = fresh.release(f"b{seed}", RECIPE).tag
    start, used = time.perf_counter(), time.process_time()
    for shard in shards:
        fresh.tables.put("pairs", {part: parts[part] for part in shard}, POLICY.decide)
    appended, used = time.perf_counter() - start, time.process_time() - used
    found = {
        "append_seconds": appended,
        "append_core_seconds": used,  # what a busy machine changes less
        "release_seconds": seconds(lambda: fresh.release(f"w{seed}", RECIPE), 1),
        "count_all_seconds": seconds(lambda: count(fresh), 1),  # what a release took before
        "decide_seconds": seconds(
            lambda: fresh.decide(f"d{seed}", POLICY.changed({"quality": 0.5 + seed / 100})), 1
        ),
    }
    return found | {
        "diff_seconds": seconds(lambda: changes(dataset.root, before, f"w{seed}"), 1),
        "diff_of_policies_seconds": seconds(
            lambda: changes(dataset.root, f"w{seed}", f"d{seed}"), 1
        ),
    }


def releasing(folder: Path) -> dict[str, float]:
    """A release after 1 000 others, once the index has these; and reading all, as it was before."""
    dataset = filled(folder, PER_PART)
    first = dataset.release("v0", RECIPE + "# " + "x" * 3000)
    for number in range(1, RELEASES):
        each = dataclasses.replace(
            first, tag=f"v{number}", recipe=f"{number}{first.recipe}", number=number + 1
        )
        data = json.dumps(dataclasses.asdict(each)).encode()
        dataset.storage.create(release_key(each.tag), data)
    return {
        "index_1000_releases_seconds": seconds(lambda: dataset.release("first", "first"), 1),
        "release_after_1000_seconds": statistics.median(
            seconds(partial(dataset.release, f"then{n}", f"{n} then"), 1) for n in range(5)
        ),
        "read_1000_releases_seconds": seconds(dataset.releases),
    }


def named(number: int, _: object) -> str:
    """A page's name."""
    return f"{number:08x}"


def resuming(folder: Path) -> float:
    """Seconds for a stage over 100 000 records that are all in the journal and in the tables."""
    ctx = context(folder, parse(RECIPE, "bench"))
    ctx.catalog = ctx.catalog.select("resume", RECIPE, POLICY, "bench")
    shards = [range(i, i + PER_PAGE) for i in range(0, RESUMED, PER_PAGE)]

    def run() -> None:
        for number, shard in enumerate(shards):
            made = journal.run(
                ctx,
                "edit",
                list(shard),
                key=str,
                page=partial(named, number),
                work=lambda batch: [{"media": "media/ab/" + "0" * 64, "info": {}}] * len(batch),
                name=str,
                batch=PER_PAGE,
            )
            assert len(list(made)) == len(shard)

    run()
    return seconds(run, 1)


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        large = filled(folder / "large", options.rows)
        small = filled(folder / "small", SMALL)
        found: dict[str, object] = {"rows": options.rows}
        found |= reading(large, folder / "plain.parquet")
        runs = [(writing(small, n), writing(large, n)) for n in (1, 2, 3)]
        for name in runs[0][0]:
            before = statistics.median(a[name] for a, _ in runs)
            after = statistics.median(b[name] for _, b in runs)
            found[name] = after
            found[f"{name}_of_100_000_rows"] = after / before
        found |= releasing(folder / "releases")
        found["resume_seconds"] = resuming(folder / "resume")
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()}))


if __name__ == "__main__":
    main()
