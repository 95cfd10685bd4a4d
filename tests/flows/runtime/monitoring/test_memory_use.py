"""Shared pages count once."""

import subprocess
import sys

import psutil
import pytest

from flows.runtime.monitoring.memory_use import MemoryUse

MB = 1 << 20

FORKING = """
import os, sys
held = b"x" * (100 << 20)
if os.fork():
    print("forked", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell what is shared")
def test_what_two_processes_share_counts_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        parent = psutil.Process(process.pid)
        both = [parent, *parent.children()]
        assert len(both) == 2
        used = MemoryUse()
        resident = sum(each.memory_info().rss for each in both)
        assert resident > 200 * MB
        for _ in range(2):  # measured, and by what was measured
            assert 100 * MB < used.of(both) < 140 * MB
        process.communicate(b"")
