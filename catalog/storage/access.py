"""How an S3 service is reached: endpoint, region and keys, as its users' other tools know them."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from catalog.errors import EditmillError

REGION = "us-east-1"
"""Where none is named: what AWS' tools fall back to, and what other services accept."""


@dataclass(frozen=True, slots=True)
class Access:
    """Endpoint and keys of an S3 service. `endpoint` is empty for AWS itself; `key_id` is empty
    where the machine's own role gives the keys."""

    endpoint: str = ""
    region: str = REGION
    key_id: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.endpoint:
            return
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EditmillError(
                "the endpoint of the object storage is no URL; expected https://host[:port]"
            )
        if parts.username or parts.password:
            raise EditmillError(
                "the endpoint of the object storage has keys in it; "
                "give them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )

    def table_options(self) -> dict[str, str]:
        """The same as the options that Delta Lake and polars give their object stores."""
        options = {"aws_conditional_put": "etag", "aws_region": self.region}
        if self.endpoint:
            options["aws_endpoint_url"] = self.endpoint
            options["aws_allow_http"] = str(self.endpoint.startswith("http:")).lower()
        if self.key_id:
            options["aws_access_key_id"] = self.key_id
            options["aws_secret_access_key"] = self.secret
        if self.token:
            options["aws_session_token"] = self.token
        return options


def s3_access(environment: Mapping[str, str] = os.environ) -> Access:
    """What the `AWS_…` variables say and, where they name no keys, the profile `AWS_PROFILE` of
    `~/.aws` (`default` where that is unset)."""
    given = environment.get
    profile: Mapping[str, str] = {}
    if not given("AWS_ACCESS_KEY_ID"):
        profile = _profile(environment)
    return Access(
        endpoint=given("AWS_ENDPOINT_URL_S3")
        or given("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url", ""),
        region=given("AWS_REGION")
        or given("AWS_DEFAULT_REGION")
        or profile.get("region", "")
        or REGION,
        key_id=given("AWS_ACCESS_KEY_ID") or profile.get("aws_access_key_id", ""),
        secret=given("AWS_SECRET_ACCESS_KEY") or profile.get("aws_secret_access_key", ""),
        token=given("AWS_SESSION_TOKEN") or profile.get("aws_session_token", ""),
    )


def lakefs_access(environment: Mapping[str, str] = os.environ) -> Access:
    """What lakeFS' own clients read: the `LAKECTL_…` variables, then `~/.lakectl.yaml` (or the file
    `LAKECTL_CONFIG_FILE`). `LAKEFS_ENDPOINT` stands for `LAKECTL_SERVER_ENDPOINT_URL`.

    Raises EditmillError where endpoint or keys are missing.
    """
    given = environment.get
    file = Path(given("LAKECTL_CONFIG_FILE") or Path.home() / ".lakectl.yaml")
    server, credentials = _lakectl(file)
    endpoint = (
        given("LAKECTL_SERVER_ENDPOINT_URL")
        or given("LAKEFS_ENDPOINT")
        or server.get("endpoint_url", "")
    )
    key_id = given("LAKECTL_CREDENTIALS_ACCESS_KEY_ID") or credentials.get("access_key_id", "")
    secret = given("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY") or credentials.get(
        "secret_access_key", ""
    )
    if not (endpoint and key_id and secret):
        raise EditmillError(
            "where the lakeFS server is, or its keys, are not known: set "
            "LAKECTL_SERVER_ENDPOINT_URL, LAKECTL_CREDENTIALS_ACCESS_KEY_ID and "
            "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY, or run `lakectl config`"
        )
    # lakectl's endpoint may name the API below the server; the S3 gateway is the server itself.
    endpoint = re.sub(r"/(api/v1/?)?$", "", endpoint)
    return Access(endpoint, REGION, key_id, secret)


def _profile(environment: Mapping[str, str]) -> dict[str, str]:
    home = Path.home() / ".aws"
    name = environment.get("AWS_PROFILE") or "default"
    config = Path(environment.get("AWS_CONFIG_FILE") or home / "config")
    shared = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials")
    found: dict[str, str] = {}
    for file, section in (
        (config, name if name == "default" else f"profile {name}"),
        (shared, name),
    ):
        parser = configparser.RawConfigParser()
        readable = True
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):  # whose text may show a key
            readable = False
        if not readable:
            raise EditmillError(f"{file}: cannot be read as AWS' settings; mend it")
        if parser.has_section(section):
            found |= parser.items(section)
    if not found and "AWS_PROFILE" in environment:
        raise EditmillError(
            f"AWS_PROFILE names {name!r}, which is neither in {config} nor in {shared}"
        )
    return found


def _lakectl(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The sections `server` and `credentials` of lakectl's settings; empty without the file."""
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        settings = None
    if isinstance(settings, dict):
        sections = [settings.get(name) or {} for name in ("server", "credentials")]
        if all(isinstance(section, dict) for section in sections):
            return sections[0], sections[1]
    raise EditmillError(f"{file}: cannot be read as lakectl's settings; run `lakectl config`")
