"""Prefect's settings in this process: ours, and nothing of the user's surroundings.

Prefect reads its settings when it is imported: from variables, from a profile in its home, and from
`.env`, `prefect.toml` and `pyproject.toml` in the working folder. A build that starts a server of
its own obeys none of them; one on the user's server takes what leads there.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
from pydantic_settings import DotEnvSettingsSource
from pydantic_settings.sources import ConfigFileSourceMixin

from catalog.errors import EditmillError
from experts import weights
from flows.runtime.monitoring import logs

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # its log would break the live progress
    "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",  # its spans would double our own
    "PREFECT_CLIENT_MAX_RETRIES": "0",  # flows.runtime.orchestration.client waits for a lost server
}

LEADS_TO_SERVER = ("PREFECT_API_", "PREFECT_CLIENT_", "PREFECT_CLOUD_")
"""Settings of the user's that count where he asked for his server: address, key, certificate."""

ACTIVE = "profile"
"""In place of a name: the server that the user's `prefect` command talks to."""

TLS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
"""Variables that end Prefect's import where what they name is not there."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_lock = threading.Lock()


def home() -> Path:
    """Where Prefect may keep things; it hardly does."""
    return weights.cache_dir() / "prefect"


def apply(url: str, users: Mapping[str, str] | None = None) -> None:
    """From now on this process's flows report to the API at `url`, with `users` settings.

    Variables that stay are not deleted first: a new one moves the environment in memory, which a
    library's thread may be reading.

    Raises EditmillError where Prefect does not take them.
    """
    with _lock:
        _users_variables()  # before they go
        ours = (
            {"PREFECT_API_SSL_CERT_FILE": _certificates()}
            | dict(users or {})
            | QUIET
            | {"PREFECT_HOME": str(home()), "PREFECT_PROFILES_PATH": str(home() / "profiles.toml")}
            | {"PREFECT_API_URL": url}
        )
        for name in os.environ.keys() - ours.keys():
            if name.upper().startswith("PREFECT_"):
                del os.environ[name]
        os.environ.update(ours)
        _bypass_proxies()
        _have_a_home()
        try:
            _read()
        except Exception as error:
            raise EditmillError(
                f"Prefect does not take its settings ({error}); mend the PREFECT_ variables or "
                "the profile"
            ) from None


def users_server(server: str) -> tuple[str, dict[str, str]]:
    """The API's address and the user's settings for it, of a URL, a profile's name or `profile`.

    Raises EditmillError where there is no such profile or it names no server.
    """
    variables = _users_variables()
    leading = {k: v for k, v in variables.items() if k.startswith(LEADS_TO_SERVER)}
    if "://" in server:
        return _api(server), leading
    path, profiles, active = _profiles(variables)
    if server == ACTIVE and server not in profiles:
        if url := leading.get("PREFECT_API_URL"):
            return _api(url), leading
        server = active
        if not server:
            raise EditmillError(
                "no Prefect server is named, and no profile is in use; set PREFECT_API_URL or give "
                "--server a URL"
            )
    if server not in profiles:
        there = f"there are: {', '.join(profiles)}" if profiles else "there are none"
        raise EditmillError(f"{path}: no Prefect profile {server!r}, {there}; or give a URL")
    settings = {str(k).upper(): str(v) for k, v in profiles[server].items()}
    url = settings.get("PREFECT_API_URL", "")
    if not url:
        raise EditmillError(
            f"{path}: the Prefect profile {server!r} names no server; set PREFECT_API_URL in it "
            "or give a URL"
        )
    # A variable goes before a profile, as Prefect has it.
    return _api(url), {k: v for k, v in settings.items() if k.startswith(LEADS_TO_SERVER)} | leading


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, where no proxy has a place."""
    return urlsplit(url).hostname in LOOPBACK


def _api(url: str) -> str:
    if "@" in url:  # an address is printed
        raise EditmillError(
            "a Prefect server's address holds no user or password; set PREFECT_API_AUTH_STRING to "
            "user:password instead"
        )
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # half an IPv6 address, or a port that there is not
        known = False
    if not known:
        raise EditmillError(
            f"{url}: not a Prefect server's address; give one like http://127.0.0.1:4200/api"
        )
    return url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/api"


@functools.cache
def _users_variables() -> dict[str, str]:
    """The user's variables for Prefect, as they were before the first `apply`."""
    named = ((name.upper(), value) for name, value in os.environ.items())
    return {name: value for name, value in named if name.startswith("PREFECT_")}


def _profiles(variables: Mapping[str, str]) -> tuple[Path, dict[str, dict[str, Any]], str]:
    """The file of the user's profiles, what it holds, and which of them is active."""
    folder = Path(variables.get("PREFECT_HOME") or "~/.prefect")
    path = Path(variables.get("PREFECT_PROFILES_PATH") or folder / "profiles.toml")
    held: dict[str, Any] = {}
    try:
        path = path.expanduser()
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RuntimeError) as error:
        raise EditmillError(
            f"{path}: Prefect's profiles can't be read ({error}); mend it or give a URL"
        ) from None
    active = variables.get("PREFECT_PROFILE") or str(held.get("active", ""))
    return path, held.get("profiles", {}), active


def _certificates() -> str:
    named = os.environ.get("SSL_CERT_FILE", "")
    return named if Path(named).is_file() else certifi.where()


def _bypass_proxies() -> None:
    """Prefect's events go by websocket, which heeds these variables alone."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if hosts != ["*"]:
            os.environ[name] = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))


def _have_a_home() -> None:
    try:
        Path.home()
    except RuntimeError:  # no HOME and an unknown user: Prefect's import would raise
        os.environ["HOME"] = str(home())


def _read() -> None:
    with _no_surroundings(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a home that can't be made does not matter
        if "prefect.context" in sys.modules:
            sys.modules["prefect.context"].refresh_global_settings_context()
            sys.modules["prefect.logging.configuration"].setup_logging()
        else:
            with _no_tls():
                import prefect.context  # noqa: F401
    logs.say()


@contextmanager
def _no_surroundings() -> Iterator[None]:
    """Meanwhile, settings come from our variables alone: not from files in the working folder."""
    dotenv, toml = DotEnvSettingsSource._read_env_files, ConfigFileSourceMixin._read_files
    DotEnvSettingsSource._read_env_files = lambda *_: {}  # type: ignore[method-assign]
    ConfigFileSourceMixin._read_files = lambda *_, **__: {}  # type: ignore[method-assign]
    try:
        yield
    finally:
        DotEnvSettingsSource._read_env_files = dotenv  # type: ignore[method-assign]
        ConfigFileSourceMixin._read_files = toml  # type: ignore[method-assign]


@contextmanager
def _no_tls() -> Iterator[None]:
    """Meanwhile, the variables of `TLS` are away."""
    tls = {name: os.environ.pop(name) for name in TLS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(tls)
