"""What all that ask one chat model have in common: they are loaded and freed as it is."""

from __future__ import annotations

from experts.write.chat.models import ChatBackend


class AsksChat:
    """Asks `chat`, which others may share."""

    def __init__(self, chat: ChatBackend) -> None:
        self._chat = chat

    @property
    def parts(self) -> tuple[ChatBackend]:
        """The model it asks."""
        return (self._chat,)

    def load(self) -> None:
        self._chat.load()

    def close(self) -> None:
        self._chat.close()
