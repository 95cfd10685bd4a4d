"""Fills the disk under a build, and sets the clock of another, and compares what comes of them.

    python infra/bench/builds/disk_and_clock.py          # as root, on Linux, with a C compiler

*disk*: the catalog lies in a file system of its own (tmpfs) with room for half of what it takes.
The build must end by an error that names the full disk, and none of what it made may be lost: given
room, it goes on from there. *clock*: while it builds, the clock that the process and its libraries
see (clock.c, preloaded) leaps an hour ahead, and two back. Both must end with the rows of a build
that nobody disturbed, media hashes, scores and verdicts included, and with no record made twice but
those in hand. What was seen is in infra/bench/results/kills.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from infra.bench.builds.kills import Builds, difference, footage

LEAPS = (3600, -7200, 3600)
"""Seconds by which the clock is set, one after the other, and right in the end."""

AHEAD = "EDITMILL_BENCH_CLOCK"
"""The variable by which clock.c knows the file that says how wrong the clock is."""

IN_HAND = 2
"""Records that a build's workers have in hand when it ends."""


def size(folder: Path) -> int:
    """Bytes of the files in a folder, in blocks of 4 KiB as tmpfs counts."""
    files = [each.stat().st_size for each in folder.rglob("*") if each.is_file()]
    return sum(-(-length // 4096) * 4096 for length in files)


@contextmanager
def room(folder: Path, limit: int) -> Iterator[None]:
    """A file system of `limit` bytes at `folder`."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={limit}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def again(builds: Builds) -> int:
    """Records that were made more than once."""
    made = Counter(builds.made())
    return sum(made.values()) - len(made)


def disk(folder: Path, whole: Builds) -> list[str]:
    """What is wrong with a build whose disk was full in between."""
    catalog = folder / "small"
    needed = size(Path(whole.out))
    with room(catalog, needed // 2):
        broken = Builds(folder, "full", "threads", str(catalog / "catalog"))
        process = broken.start()
        process.join()
        made, told = len(broken.made()), broken.log().strip().splitlines()[-1]
        print(f"disk: ended after {made} records: {told}")
        if not process.exitcode or "EditmillError" not in told or "disk is full" not in told:
            return [f"no line about a full disk: {broken.log()}"]
        subprocess.run(["mount", "-o", f"remount,size={4 * needed}", catalog], check=True)
        broken.finish()
        wrong = difference(whole.out, broken.out)
    if again(broken) > IN_HAND:
        wrong.append(f"{again(broken)} records were made again")
    return wrong


def clock(folder: Path, whole: Builds) -> list[str]:
    """What is wrong with a build whose clock was set while it ran."""
    ahead = Path(os.environ[AHEAD])
    leaping = Builds(folder, "leaping", "threads")
    process = leaping.start()
    seconds = 0
    for number, leap in enumerate(LEAPS, 1):
        while process.is_alive() and len(leaping.made()) < number * len(whole.made()) // 4:
            time.sleep(0.02)
        seconds += leap
        _set(ahead, seconds)
        print(f"clock: {seconds:+d} s after {len(leaping.made())} records", flush=True)
    process.join()
    if process.exitcode:
        return [f"the build failed: {leaping.log()}"]
    wrong = difference(whole.out, leaping.out)
    return [*wrong, f"{again(leaping)} records were made again"] if again(leaping) else wrong


def under_a_false_clock(folder: Path) -> dict[str, str]:
    """The variables with which a process sees the time of day that a file says it is."""
    library, ahead = folder / "clock.so", folder / "ahead"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
    _set(ahead, 0)
    return {"LD_PRELOAD": str(library), AHEAD: str(ahead)}


def _set(ahead: Path, seconds: int) -> None:
    """In place: the file is mapped into processes."""
    with ahead.open("r+b" if ahead.exists() else "wb") as file:
        file.write(seconds.to_bytes(8, sys.byteorder, signed=True))


def one(kind: str, folder: Path, clips: int) -> list[str]:
    """What is wrong with the disturbed build of that kind."""
    footage(folder / "videos", clips)
    whole = Builds(folder, "undisturbed", "threads")
    whole.finish()
    return {"disk": disk, "clock": clock}[kind](folder, whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--of", nargs="+", choices=("disk", "clock"), default=("disk", "clock"))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        wrong = one(options.of[0], options.folder, options.clips)
        print(f"{options.of[0]}: {'; '.join(wrong) or 'equal rows'}")
        sys.exit(bool(wrong))
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        for kind in options.of:  # each in a process of its own: one of them has its own clock
            folder = Path(temporary) / kind
            folder.mkdir()
            clock_of_its_own = under_a_false_clock(folder) if kind == "clock" else {}
            command = [sys.executable, __file__, "--of", kind, "--clips", str(options.clips)]
            done = subprocess.run(
                [*command, "--folder", str(folder)], env=os.environ | clock_of_its_own
            )
            failed = failed or bool(done.returncode)
    sys.exit(failed)


if __name__ == "__main__":
    main()
