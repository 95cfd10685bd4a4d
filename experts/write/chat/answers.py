"""The texts in an answer of OpenAI's chat completions, whatever shape a server gives it."""

from __future__ import annotations

from typing import Any

from experts.write.chat.server import NoCompletion

WITHOUT_THINKING = (
    "name a model that answers without thinking first, or turn its thinking off on the server"
)


def texts(document: dict[str, Any], n: int, where: str) -> list[str]:
    """At most `n` texts, in the order of the choices; fewer where the server gave fewer.

    A choice that was refused or filtered is an empty text. Raises NoCompletion, naming `where`,
    for an answer that is none: without choices, of other types than the protocol's, or with no
    text in any choice, which a model that thinks first gives every time.
    """
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _malformed(where, f"holds {_what(choices)} instead of choices")
    choices = _ordered(choices)[:n]
    messages = [_message(choice, where) for choice in choices]
    found = [_content(message, where) for message in messages]
    if all(text is None for text in found):
        raise NoCompletion(f"{where}: {_why(messages[0], choices[0])}")
    return [text or "" for text in found]


def _ordered(choices: list[Any]) -> list[Any]:
    """By their index, where all have one."""
    places = [choice.get("index") if isinstance(choice, dict) else None for choice in choices]
    if all(isinstance(place, int) for place in places):
        return sorted(choices, key=lambda choice: choice["index"])
    return choices


def _message(choice: Any, where: str) -> dict[str, Any]:
    message = choice.get("message") if isinstance(choice, dict) else choice
    if not isinstance(message, dict):
        raise _malformed(where, f"has a choice with {_what(message)} instead of a message")
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        return {"content": "", **{k: v for k, v in message.items() if v is not None}}
    return message


def _content(message: dict[str, Any], where: str) -> str | None:
    """The text; None where there is none."""
    content = message.get("content")
    if isinstance(content, list):  # of parts: texts, thoughts, pictures
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        said = [part for part in parts if isinstance(part, str)]
        content = "".join(said) if said else None
    if content is None:
        return None
    if not isinstance(content, str):
        raise _malformed(where, f"has a message with {_what(content)} instead of text")
    # A lone surrogate, which JSON may hold, is half a character that no file can.
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _why(message: dict[str, Any], choice: dict[str, Any]) -> str:
    if any(message.get(key) for key in ("reasoning_content", "reasoning", "thinking")):
        return f"its answer is all reasoning and holds no text; {WITHOUT_THINKING}"
    if message.get("tool_calls") or message.get("function_call"):
        return "it called a tool instead of writing; serve the model without tools"
    if choice.get("finish_reason") == "length":
        return f"its answer was used up before there was any text; {WITHOUT_THINKING}"
    return "its answer holds no text; check that the model is one for chat"


def _malformed(where: str, what: str) -> NoCompletion:
    return NoCompletion(
        f"{where}: its answer {what}; name a server that speaks OpenAI's chat completions"
    )


def _what(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"an empty {type(value).__name__}" if not value else f"a {type(value).__name__}"
