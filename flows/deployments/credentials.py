"""How runs come by their keys: from the worker's environment, or from Secret blocks of the server.

A variable whose block exists is set for every run. The deployment holds the block's name only; a
worker asks the server for the value when it starts a run.

`prefect deploy` has no such way: it puts the values themselves into the deployment, where the page
shows them (3.8, `cli.deploy._core`). So `infra/prefect.yaml` names no block.
"""

from __future__ import annotations

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

VARIABLES = (
    "PEXELS_API_KEY",
    "PIXABAY_API_KEY",
    "HF_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "LAKECTL_SERVER_ENDPOINT_URL",
    "LAKECTL_CREDENTIALS_ACCESS_KEY_ID",
    "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY",
)
"""What sources (docs/own-footage.md) and storage (docs/storage.md) take from the environment."""

BLOCK_TYPE = "secret"


def block_name(variable: str) -> str:
    """The Secret block that a variable is taken from: `pexels-api-key` for PEXELS_API_KEY."""
    return variable.lower().replace("_", "-")


def from_blocks(client: SyncPrefectClient) -> dict[str, str]:
    """By variable, the reference to its block, for those that the server has."""
    return {
        variable: f"{{{{ prefect.blocks.{BLOCK_TYPE}.{block_name(variable)} }}}}"
        for variable in VARIABLES
        if _has(client, block_name(variable))
    }


def _has(client: SyncPrefectClient, name: str) -> bool:
    try:
        client.read_block_document_by_name(name, BLOCK_TYPE, include_secrets=False)
    except ObjectNotFound:
        return False
    return True
