"""What stays the same of a link, from day to day: what names the video, without what expires."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

PORTS = {"http": 80, "https": 443}

EXPIRING_PREFIXES = ("x-amz-", "x-goog-", "x-oss-", "q-sign-", "hdnt", "hdnea")
"""How the parameters of signed links begin: AWS (signature 4) and those who speak its language,
Google Cloud, Alibaba, Tencent, Akamai (`hdnts`, `hdnea`)."""

EXPIRING = frozenset(
    [
        "awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "security-token",  # AWS 2, Google 2 …
        "signature", "expires", "policy", "key-pair-id",  # … and CloudFront
        "q-ak", "q-key-time", "q-header-list", "q-url-param-list", "q-signature",  # Tencent
        "token", "access_token", "auth", "auth_token", "auth_key", "sig", "hmac", "expiry", "exp",
        "__token__", "jwt",
    ]
)  # fmt: skip
"""Parameters that hold a signature, a key or a time of expiry, in lower case."""

AZURE = frozenset(
    [
        "sv", "ss", "srt", "sr", "sp", "st", "se", "spr", "sip", "si", "sig", "skoid", "sktid",
        "skt", "ske", "sks", "skv",
    ]
)  # fmt: skip
"""A shared access signature of Azure: so short that they only count where `sig` and `sv` are."""


_PLAIN = re.compile(r"https?://[a-z0-9.-]+/[A-Za-z0-9._~/+,=:@!-]*")
"""Links that are stable as they are: found so in a tenth of the time, in lists of millions."""


def stable_link(link: str) -> str:
    """The link without fragment, user, default port and what expires, its parameters sorted.

    Raises ValueError where it is no http(s) link.
    """
    if _PLAIN.fullmatch(link):
        return link
    if not link.isprintable():
        raise ValueError("unprintable characters")
    parts = urlsplit(link.strip())
    scheme, host = parts.scheme, parts.hostname
    if scheme not in PORTS or not host:
        raise ValueError("no http(s) link")
    port = parts.port
    place = f"[{host}]" if ":" in host else host
    if port not in (None, PORTS[scheme]):
        place = f"{place}:{port}"
    return urlunsplit((scheme, place, _encoded(parts.path or "/"), _stable(parts.query), ""))


def _stable(query: str) -> str:
    if not query:
        return ""
    given = parse_qsl(query, keep_blank_values=True)
    names = {name.lower() for name, _ in given}
    expiring = EXPIRING | AZURE if {"sig", "sv"} <= names else EXPIRING
    return urlencode(
        sorted(
            (name, value)
            for name, value in given
            if name.lower() not in expiring and not name.lower().startswith(EXPIRING_PREFIXES)
        )
    )


def _encoded(path: str) -> str:
    """The path with its percent codes in capitals: `%c3` and `%C3` are one."""
    if "%" not in path:
        return path
    return re.sub(r"%[0-9a-fA-F]{2}", lambda code: code[0].upper(), path)
