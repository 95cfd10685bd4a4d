"""A part of infra/bench/builds/fuzz.py: nothing damaged or hostile ends in more than a reason."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_damaged_and_hostile_inputs_end_in_reasons() -> None:
    done = subprocess.run(
        [sys.executable, "infra/bench/builds/fuzz.py", "--videos", "200", "--recipes", "100"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.findall(r"^(videos|recipes): (\d+), faults: 0$", done.stdout, re.M)
    assert [(kind, int(count) >= 100) for kind, count in counts] == [
        ("videos", True),
        ("recipes", True),
    ]
    assert re.search(r"^  read +[1-9]", done.stdout, re.M)
    assert re.search(r"^  corrupt_video +[1-9]", done.stdout, re.M)
