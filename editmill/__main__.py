"""The `editmill` command; `python -m editmill` is the same."""

from __future__ import annotations

from editmill.packages import load


def main() -> None:
    """Run the command and end the process with its exit code."""
    load("catalog", "experts", "filters", "flows")
    from flows.cli import main as run

    run()


if __name__ == "__main__":
    main()
