"""What a search of 10 000 results costs, and that kills repeat nothing.

    python infra/bench/builds/sources.py [--results 10000] [--kills 12] [--folder FOLDER]

Against a server of this machine with the APIs of Pexels and Pixabay and files of 200 bytes, in a
process of its own. *Needed* are the pages of the results and one request a file. *In hand* is a
build's last request when it was killed; any other that is asked again is *repeated*.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from tests.flows.sources.answers import KeptAnswers  # noqa: E402
from tests.flows.sources.stock_build import section  # noqa: E402
from tests.flows.sources.stock_server import PEXELS_KEY, PIXABAY_KEY, running  # noqa: E402

PER_PAGE = {"pexels": 80, "pixabay": 200}


def serve(results: int, pipe: Connection) -> None:
    """A server that says its address, and what it was asked each time it is told to."""
    with running(results=list(range(results)), size=200, most_hits=results) as stock:
        pipe.send(stock.url)
        while pipe.recv():
            pipe.send(list(stock.requests))


@contextmanager
def server(results: int) -> Iterator[tuple[str, Any]]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(results, there))
    process.start()

    def requests() -> list[str]:
        here.send(True)
        return list(here.recv())

    try:
        yield here.recv(), requests
    finally:
        here.send(False)
        process.join(10)


def resident() -> float:
    """MB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth(site: str, results: int, folder: Path) -> None:
    """Ten nights, each a tenth of the results: time, requests and memory."""
    print(f"\n{site}: {results} results, a tenth of them a night")
    print(f"{'night':>5} {'listed':>7} {'asked':>6} {'core-s':>7} {'listing MB':>11} "
          f"{'beside it MB':>13} {'resident MB':>12}")  # fmt: skip
    with server(results) as (url, requests):
        asks = section(site, url, results // 10)
        for night in range(1, 12):
            answers = KeptAnswers(folder / site, round=night)
            gc.collect()
            before, started = len(requests()), time.process_time()
            found = asks.find(answers)
            seconds = time.process_time() - started
            asked = len(requests()) - before
            tracemalloc.start()
            again = asks.find(answers)  # asks nothing: the answers lie in the catalog
            gc.collect()
            listing, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert [v.identity for v in again.files] == [v.identity for v in found.files]
            print(
                f"{night:>5} {len(found.files):>7} {asked:>6} {seconds:>7.2f} "
                f"{listing / 1e6:>11.2f} {(peak - listing) / 1e6:>13.2f} {resident():>12.0f}"
            )
            del found, again
        counts = Counter(requests())
        needed = -(-results // PER_PAGE[site])
        again = sorted(path for path, times in counts.items() if times > 1)
        first = all(path.endswith("&page=1") for path in again)
        print(f"requests: {needed} needed for all results, {len(counts)} asked; "
              f"{counts.total() - len(counts)} for what is new"
              f"{'' if first else ', NOT all of them page 1'}")  # fmt: skip


def killed(site: str, results: int, kills: int, folder: Path, seed: int = 0) -> None:
    """One build of all results and files, killed at random instants until it comes through."""
    draw = random.Random(seed)
    command = [sys.executable, "-m", "tests.flows.sources.stock_build", site]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    needed = -(-results // PER_PAGE[site]) + results
    with server(results) as (url, requests):
        command += [url, str(folder / f"{site}-killed"), str(results)]
        killed, in_hand, repeated = 0, 0, 0
        finished: set[str] = set()  # requests that were followed by another of their build
        while True:
            before = len(requests())
            process = subprocess.Popen(command, env=environment, cwd=ROOT)
            if killed < kills:
                share = needed * draw.uniform(0.2, 1.8) / kills
                while process.poll() is None and len(requests()) - before < share:
                    time.sleep(0.01)
                time.sleep(draw.uniform(0, 0.05))
                process.send_signal(signal.SIGKILL)
            code = process.wait()
            asked = requests()[before:]
            repeated += sum(path in finished for path in asked)
            finished.update(asked[:-1] if code else asked)
            if code == 0:
                break
            assert code == -signal.SIGKILL, f"the build ended with {code}"
            killed += 1
        counts = Counter(requests())
        in_hand = counts.total() - len(counts) - repeated
        files = len(list((folder / f"{site}-killed" / "media").glob("*.mp4")))
        print(
            f"{site}: {killed} kills; {needed} requests needed, {counts.total()} asked: "
            f"{in_hand} in hand when killed, {repeated} repeated; {files} files"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    os.environ |= {"PEXELS_API_KEY": PEXELS_KEY, "PIXABAY_API_KEY": PIXABAY_KEY}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for site in PER_PAGE:
            growth(site, options.results, Path(folder))
        print("\nkilled at random instants, every file fetched")
        for site in PER_PAGE:
            killed(site, options.results, options.kills, Path(folder))


if __name__ == "__main__":
    main()
