"""What chat models are shown: one file of examples per way of asking, and what reads it."""

from experts.write.prompts.lines import Message, conversation, note

__all__ = ["Message", "conversation", "note"]
