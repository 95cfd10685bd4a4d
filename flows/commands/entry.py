"""How a command meets the world: its exit code, signals, and what its output cannot take.

Whatever is expected to go wrong is one line on stderr.
"""

from __future__ import annotations

import atexit
import codecs
import gc
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from catalog.errors import EditmillError, one_line
from flows.runtime.stopping import signals

PLAIN = {"≥": ">=", "≤": "<=", "×": "x", "−": "-", "…": "...", "→": "->", "·": "-", "’": "'"}
"""What our sentences hold beyond ASCII, as a stream that lacks the character gets it."""


def run(app: Callable[..., object]) -> NoReturn:
    """Runs the typer `app` and ends the process with its exit code."""
    _print_anything()
    atexit.register(_leave_garbage)
    try:
        with signals.none_lost(), signals.handled(signals.interrupt):
            code = _run(app)
            sys.stdout.flush()
    except signals.Signalled as signalled:
        _say("stopped")
        code = signalled.exit_code
    except EditmillError as error:
        _say(str(error))
        code = 1
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    except OSError as error:
        what = error.filename or "the output"  # only what is open already has no name
        _say(one_line(f"{what}: {error.strerror or error}"))
        code = 1
    raise SystemExit(code)


def _run(app: Callable[..., object]) -> int:
    """The command's exit code."""
    try:
        Path.cwd()
    except OSError:  # libraries of compiled code would end the process
        raise EditmillError("the working folder is gone; change to one that is there") from None
    try:
        # By its name also from `python -m`, which no shell could complete; typer would draw a box
        # around what is wrong in its standalone mode.
        code = app(prog_name="editmill", standalone_mode=False)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer hides it
            raise ended.__context__ from None
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception as error:
        if isinstance(error.__cause__, signals.Signalled):  # a compiled module's import was stopped
            raise error.__cause__ from None
        if not hasattr(error, "format_message"):
            raise
        return _misused(error)
    return code if isinstance(code, int) else 0


def _misused(error: Any) -> int:
    """Says what is wrong with the words of the command line; the exit code.

    `error` is click's ClickException, which some versions of typer import and others carry within.
    """
    if said := error.format_message():  # without: no command was given, and its help was shown
        context = getattr(error, "ctx", None)
        asked = "editmill" if context is None else context.command_path
        _say(one_line(f"{said.rstrip('.')}; see: {asked} --help"))
    return int(error.exit_code)


def _print_anything() -> None:
    """A terminal or a pipe that lacks a character gets it in plain ones, or an escape for it, not a
    UnicodeError; what is said to a stream that is closed is lost."""
    codecs.register_error("plain", _plain)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """As codecs' `backslashreplace`, but for the characters of PLAIN."""
    if not isinstance(error, UnicodeEncodeError):
        return codecs.backslashreplace_errors(error)
    lacking = error.object[error.start : error.end]
    shown = (PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(shown), error.end


def _leave_garbage() -> None:
    """As it ends, Python looks for garbage several times, and those of a build take it seconds. But
    Triton, where it was imported, prints a page about objects of its own that are not freed."""
    if "triton" not in sys.modules:
        gc.freeze()


def _say(message: str) -> None:
    with suppress(OSError):  # a full device, perhaps
        print(f"editmill: {message}", file=sys.stderr, flush=True)
