"""What the installed packages are: pinned, consistent, under licences that allow use, and without
known vulnerabilities where that can be asked.

    python infra/audit.py [--pip-audit PATH]

The first three are answered by what is installed, offline. Known vulnerabilities are a service's to
tell: pip-audit asks it for every pin. Where pip-audit is not there, or its service does not answer,
the audit says that they were *not audited*, and does not fail. Ends with 1 for everything else that
is wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"

OWN = frozenset({"editmill", "pip", "setuptools", "wheel", "uv"})
"""Not pinned: the project, and what installs it."""

ALLOWED = re.compile(
    r"Apache([ -]2(\.0)?)?( License)?|Apache Software License|MIT.*|0BSD|(2|3)-Clause BSD License|"
    r"BSD([ -].*)?|BSL-1\.0|CC0-1\.0|CNRI-Python|DFSG approved|HPND|ISC.*|MPL-2\.0|"
    r"Mozilla Public License 2\.0 \(MPL 2\.0\)|PSF-2\.0|Python Software Foundation License|"
    r"The Unlicense.*|Unlicense|Zlib"
)
"""Licences that ask for no more than notices, and MPL-2.0, which covers its own files only."""

PROPRIETARY = re.compile(r"LicenseRef-NVIDIA-Proprietary|NVIDIA Proprietary Software")
"""Of the CUDA runtime, which PyTorch's wheel for Linux brings; it may be used, not passed on."""

KNOWN = {
    "cuda-toolkit": "an empty package that names those of the CUDA runtime",
    "text-unidecode": "Artistic License or GPL-2.0+; the first is taken",
}
"""Packages whose licence was read, where their metadata say nothing that can be matched."""

TIMEOUT = 300
"""Seconds for pip-audit: it asks about some two hundred pins."""


def pins() -> dict[str, str]:
    """Version by package, of those whose pin may hold on this platform."""
    found = {}
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate():
                found[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    return found


def licences(package: Distribution) -> list[str]:
    """The licences that the package's metadata state, each once."""
    metadata = package.metadata
    lines = metadata.get_all("Classifier", [])
    classified = [line.rpartition("::")[2].strip() for line in lines if line.startswith("License")]
    expression = metadata.get("License-Expression") or ""
    if classified and not expression:
        return classified
    expression = expression or (metadata.get("License") or "").strip().partition("\n")[0]
    names = re.split(r" (?:AND|OR) ", re.sub(r"[()]", "", expression))
    return [name.partition(" WITH ")[0] for name in names if name]


def faults(installed: dict[str, Distribution], pinned: dict[str, str]) -> Iterator[str]:
    """What is wrong with the packages, a line each."""
    for name, package in sorted(installed.items()):
        if name not in OWN:
            if name not in pinned:
                yield f"{name} {package.version}: not in constraints.txt; pin it there"
            elif package.version.partition("+")[0] != pinned[name].partition("+")[0]:
                yield f"{name} {package.version}: pinned to {pinned[name]}; install that one"
            if problem := _licence_fault(name, licences(package)):
                yield problem
        for line in package.requires or ():
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
                continue
            other = installed.get(canonicalize_name(wanted.name))
            if other is None:
                yield f"{name}: needs {wanted}, which is not installed"
            elif not wanted.specifier.contains(other.version, prereleases=True):
                yield f"{name}: needs {wanted}, and {other.version} is installed"


def _licence_fault(name: str, stated: list[str]) -> str:
    if name in KNOWN or (stated and all(PROPRIETARY.fullmatch(each) for each in stated)):
        return ""
    unknown = [each for each in stated if not ALLOWED.fullmatch(each)]
    if stated and not unknown:
        return ""
    what = ", ".join(unknown) or "none stated"
    return f"{name}: its licence ({what}) is not on the list in infra/audit.py; read it"


def advisories(program: Path | None) -> tuple[list[str], str]:
    """Known vulnerabilities, a line each, and in words how many packages were asked about."""
    if program is None or not program.is_file():
        return [], "not audited: pip-audit is not installed"
    command = [program, "--requirement", CONSTRAINTS, "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        answer: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return [], f"not audited: no answer in {TIMEOUT} s"
    except (OSError, ValueError, KeyError):
        return [], "not audited: its service does not answer"
    audited = [each for each in answer if "skip_reason" not in each]
    if not audited:
        return [], "not audited: its service does not answer"
    found = [
        f"{each['name']} {each['version']}: {', '.join(v['id'] for v in each['vulns'])}"
        for each in audited
        if each["vulns"]
    ]
    return found, f"{len(found)} of {len(audited)} packages, {len(answer) - len(audited)} unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description="Audits the installed packages.")
    parser.add_argument("--pip-audit", type=Path, help="the program, where it is installed")
    asked = parser.parse_args()
    installed = {canonicalize_name(package.name): package for package in distributions()}
    wrong = list(faults(installed, pins()))
    vulnerable, told = advisories(asked.pip_audit)
    for line in [*wrong, *(f"vulnerable: {line}" for line in vulnerable)]:
        print(line)
    print(f"{len(installed)} packages: pinned, consistent and licensed, with {len(wrong)} faults")
    print(f"known vulnerabilities: {told}")
    sys.exit(bool(wrong or vulnerable))


if __name__ == "__main__":
    main()
