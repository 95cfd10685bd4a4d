"""HTTP for footage: requests that wait and try again, and downloads of bounded size.

Links come from other people's answers and lists, so what is reached must lie on the public net,
unless the user named its host. Nothing here knows a secret but the transport that sends it.
"""

from flows.sources.http.client import Credential, HttpClient, Patience
from flows.sources.http.download import MOST_BYTES, download
from flows.sources.http.errors import (
    Denied,
    Gone,
    NoUsableAnswer,
    PrivateAddress,
    StatusRefused,
    Unavailable,
    host_of,
)
from flows.sources.http.shared import shared_client
from flows.sources.http.waiting import SYSTEM, Clock

__all__ = [
    "MOST_BYTES",
    "SYSTEM",
    "Clock",
    "Credential",
    "Denied",
    "Gone",
    "HttpClient",
    "NoUsableAnswer",
    "Patience",
    "PrivateAddress",
    "StatusRefused",
    "Unavailable",
    "download",
    "host_of",
    "shared_client",
]
