"""Checkpoints in the hub's layout: what one must hold, where it is looked for, how it is fetched.

A checkpoint is named by a folder here, or by `owner/name@<40 hex>`, a commit on the hub: a hub id
alone means another model tomorrow. A commit is looked for in the folders of `EDITMILL_MIRROR`,
among those fetched before and in the hub's own cache, and only then asked of the hub.
"""

from experts.checkpoint.kind import Kind, NotHadError

__all__ = ["Kind", "NotHadError"]
