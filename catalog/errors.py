"""Errors a user meets: one line that names the thing, what is wrong and the remedy."""


class EditmillError(Exception):
    """The build or command cannot go on; the message is shown as it stands, without a traceback."""


class BadInput(EditmillError):
    """One record is unusable; it becomes a row in `failures` and the shard goes on.

    `reason` is a short machine word (`corrupt_video`, `no_frames`, `too_small` …).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
