"""Which writer goes with a chat model."""

from __future__ import annotations

from experts.write.capable_writer import CapableWriter
from experts.write.chat.models import ChatBackend
from experts.write.writer import InstructionWriter


def writer_for(chat: ChatBackend) -> InstructionWriter | CapableWriter:
    """A capable model is asked once per edit for all its texts, any other for candidates of one
    line."""
    return CapableWriter(chat) if chat.structured else InstructionWriter(chat)
