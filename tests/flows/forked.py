"""`editmill` in processes of its own that start at once: each is forked from one that has imported
what commands need, which takes seconds. Arguments, surroundings, signals, output and exit code are
those of any process.

python -m tests.flows.forked

reads a line of JSON for each process, with its `args`, `env` and the files `out` and `err`, and
says its id; for a line with a `pid` alone it waits for that process, and says its exit code.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from flows.cli import main

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Command:
    """A process that runs, in a session of its own."""

    pid: int
    out: Path
    err: Path
    parent: Forking

    @property
    def running(self) -> bool:
        return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE

    def send_signal(self, how: signal.Signals) -> None:
        os.kill(self.pid, how)

    def end(self) -> int:
        """Its exit code, once it has ended; minus a signal's number where one ended it."""
        return int(self.parent.ask(pid=self.pid))


class Forking:
    """The process that others are forked from."""

    def __init__(self, folder: Path) -> None:
        """The processes' output is kept in `folder`."""
        self.folder = folder
        self.started = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.forked"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *args: object, env: dict[str, str]) -> Command:
        """`editmill args`, with these variables alone."""
        self.started += 1
        out, err = (self.folder / f"{self.started}.{name}" for name in ("out", "err"))
        pid = self.ask(args=[str(arg) for arg in args], env=env, out=str(out), err=str(err))
        return Command(int(pid), out, err, self)

    def ask(self, **line: Any) -> str:
        assert self.process.stdin and self.process.stdout
        print(json.dumps(line), file=self.process.stdin, flush=True)
        return self.process.stdout.readline()

    def close(self) -> None:
        with self.process:
            assert self.process.stdin
            self.process.stdin.close()


def _import() -> None:
    """All of a build but Prefect, which reads its surroundings as it is imported."""
    import flows.release.pairs
    import flows.stages.clips.annotate
    import flows.stages.clips.look
    import flows.stages.edit
    import flows.stages.instruct
    import flows.stages.judging.judge  # noqa: F401


def _become(asked: dict[str, Any]) -> None:
    """Makes this process the command."""
    os.setsid()
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["editmill", *asked["args"]]
    main()


def serve() -> None:
    forked = multiprocessing.get_context("fork")
    started: dict[int, BaseProcess] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if "pid" in asked:
            process = started.pop(asked["pid"])
            process.join()
            print(process.exitcode, flush=True)
        else:
            process = forked.Process(target=_become, args=(asked,))
            process.start()
            assert process.pid
            started[process.pid] = process
            print(process.pid, flush=True)


if __name__ == "__main__":
    _import()
    serve()
