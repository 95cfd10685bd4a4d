"""Failed requests to an object storage: when to try again, and what they mean, in one line with the
remedy.

An answer's text may repeat the keys it was asked with, so only its status and its error code are
ever passed on.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator

from catalog.errors import EditmillError

_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,64})</Code>")
_UNSENT = ("error sending request", "Connect", "dns error", "operation timed out", "error reading")

NO_KEYS = "169.254.169.254"
"""Where a cloud's machine asks for its role's keys, as is done where none are set."""

_REFUSED = {
    "ExpiredToken": "the keys have expired; get new ones",
    "TokenRefreshRequired": "the keys have expired; get new ones",
    "InvalidAccessKeyId": "there is no such key; check the access key",
    "SignatureDoesNotMatch": "the secret key is wrong; check it",
    "InvalidToken": "the session token is wrong; get a new one or unset it",
    "MissingFields": "no keys were sent; set them",  # lakeFS' word for it
    "RequestTimeTooSkewed": "this machine's clock is off; set it",
}


def tries(seconds: float) -> Iterator[None]:
    """One step for each try of a request: at once, and again, after pauses that grow from .1 to
    15 s and are shortened at random, until `seconds` have passed."""
    end, pause = time.monotonic() + seconds, 0.1
    yield
    while time.monotonic() + pause < end:
        time.sleep(pause * random.uniform(0.5, 1.0))
        yield
        pause = min(2 * pause, 15.0)


def error_code(error: Exception) -> str:
    """The S3 error code in an answer (`NoSuchBucket`); empty where there is none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def may_pass(error: Exception) -> bool:
    """Whether a request failed for what passes: no answer, a busy server. Else keys, bucket or
    request are wrong."""
    text = str(error)
    status = _status(text)
    if status:
        return status == "429" or status >= "500"
    return not error_code(error) and NO_KEYS not in text


def storage_error(uri: str, endpoint: str, keys: str, error: Exception) -> EditmillError:
    """The error a user sees for what obstore raised.

    `uri` is the storage's, `endpoint` how its server is called, `keys` names the settings that hold
    the keys.
    """
    text, code = str(error), error_code(error)
    status = _status(text)
    if code in _REFUSED:
        return EditmillError(f"{uri}: refused: {_REFUSED[code]} ({keys})")
    if code == "NoSuchBucket":
        return EditmillError(f"{uri}: there is no such bucket at {endpoint}; make it first")
    if status in ("401", "403"):
        return EditmillError(
            f"{uri}: access denied ({status}): the keys are wrong or may not do this; check {keys}"
        )
    if NO_KEYS in text:
        return EditmillError(f"{uri}: no keys are set; set {keys}")
    if status:
        what = f"{code}, {status}" if code else status
        return EditmillError(
            f"{uri}: {endpoint} answered with an error ({what}); see to the server and run again"
        )
    if any(sign in text for sign in _UNSENT):
        return EditmillError(
            f"{uri}: {endpoint} cannot be reached, or the connection broke, also after several "
            "tries; check endpoint and network and run again"
        )
    return EditmillError(
        f"{uri}: a request failed ({type(error).__name__}); check endpoint and network, run again"
    )


def _status(text: str) -> str:
    return next((a or b for a, b in _STATUS.findall(text)), "")
