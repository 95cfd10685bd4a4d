"""infra/audit.py finds what is wrong with packages, and says what it could not ask."""

import importlib.util
import json
import sys
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "infra" / "audit.py"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def package(tmp_path: Path):
    """`package(name, *metadata)`: a package, version 1.0, with these further lines of metadata."""

    def make(name: str, *lines: str) -> Distribution:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""])
        (folder / "METADATA").write_text(text)
        return PathDistribution(folder)

    return make


def found(audit, packages: list[Distribution], **pinned: str) -> list[str]:
    return list(audit.faults({package.name: package for package in packages}, pinned))


@pytest.mark.parametrize(
    "licence",
    [
        "License-Expression: MIT",
        "License-Expression: Apache-2.0 WITH LLVM-exception AND (BSD-3-Clause OR Zlib)",
        "Classifier: License :: OSI Approved :: BSD License",
        "License: Apache 2.0",
        "License: MPL-2.0 AND MIT",
        "License-Expression: LicenseRef-NVIDIA-Proprietary",
    ],
)
def test_a_pinned_package_under_a_permissive_licence_is_right(audit, package, licence) -> None:
    assert found(audit, [package("a", licence)], a="1.0") == []


@pytest.mark.parametrize(
    ("lines", "pinned", "said"),
    [
        (["License-Expression: GPL-3.0-only"], "1.0", "GPL-3.0-only"),
        (["License-Expression: MIT AND AGPL-3.0-only"], "1.0", "AGPL-3.0-only"),
        (["Classifier: License :: Other/Proprietary License"], "1.0", "Proprietary"),
        ([], "1.0", "none stated"),
        (["License-Expression: MIT"], "2.0", "pinned to 2.0"),
        (["License-Expression: MIT", "Requires-Dist: b"], "1.0", "needs b, which is not"),
        (["License-Expression: MIT", "Requires-Dist: a>=2"], "1.0", "needs a>=2, and 1.0 is"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(audit, package, lines, pinned, said) -> None:
    (line,) = found(audit, [package("a", *lines)], a=pinned)
    assert line.startswith("a") and said in line


def test_what_is_not_pinned_is_told(audit, package) -> None:
    assert "not in constraints" in found(audit, [package("a", "License-Expression: MIT")])[0]


def answering(folder: Path, answer: str) -> Path:
    program = folder / "pip-audit"
    program.write_text(f"#!{sys.executable}\nprint({answer!r})\n")
    program.chmod(0o700)
    return program


def test_what_could_not_be_asked_is_not_called_safe(audit, tmp_path: Path) -> None:
    assert audit.advisories(tmp_path / "none") == ([], "not audited: pip-audit is not installed")
    for answer in ("", json.dumps({"dependencies": [{"name": "a", "skip_reason": "not found"}]})):
        _, told = audit.advisories(answering(tmp_path, answer))
        assert told == "not audited: its service does not answer"


def test_known_vulnerabilities_are_named(audit, tmp_path: Path) -> None:
    of = [
        {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]},
        {"name": "b", "version": "2", "vulns": []},
        {"name": "c", "skip_reason": "not found"},
    ]
    lines, told = audit.advisories(answering(tmp_path, json.dumps({"dependencies": of})))
    assert lines == ["a 1: CVE-1, CVE-2"] and told == "1 of 2 packages, 1 unknown"


def test_the_pins_can_be_read(audit) -> None:
    assert audit.pins()["av"]
