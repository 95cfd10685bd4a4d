"""Chat models: llama.cpp in this process, or any OpenAI-compatible server."""

from experts.write.chat.openai_chat import OpenAIChat

__all__ = ["OpenAIChat"]
