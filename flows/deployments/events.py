"""Names of the Prefect events that a build emits, for automations to listen to.

Each is of the resource :func:`catalog_resource` and carries `made` and `kept`, the number of pairs
(or local-editing records) made since the last release of the recipe and how many of them are kept,
and `made_in_release` and `kept_in_release`, those of the release as a whole.
"""

from __future__ import annotations

from catalog.keys import digest

BUILD_FINISHED = "editmill.build.finished"
"""A build has ended with a release."""

KEPT_TOO_LITTLE = "editmill.build.kept-too-little"
"""The same build kept a smaller share of what it made than it should."""

DIGEST_LENGTH = 12
"""Hex characters that name a catalog."""


def catalog_name(uri: str) -> str:
    """What names the catalog at `uri` on a Prefect server, where a URI has characters that are not
    allowed."""
    return digest(uri)[:DIGEST_LENGTH]


def catalog_resource(uri: str) -> str:
    """`prefect.resource.id` of the catalog at `uri`."""
    return f"editmill.catalog.{catalog_name(uri)}"
