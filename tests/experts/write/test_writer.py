"""The writer: what passes, what falls to a template, what is recorded; and the real model."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import BadInput, EditmillError
from experts.edit.tasks import TASKS
from experts.write.chat import OpenAIChat, prompt_states
from experts.write.chat.models import LlamaCppChat
from experts.write.chat.openai_chat import OpenAIWriter
from experts.write.chat.structured import read, schema_of
from experts.write.checks import ENHANCED_WORDS, check, words_of
from experts.write.ideas import Candidates, Ideas, style_fault
from experts.write.prompts import Message, conversation
from experts.write.request import WriteRequest
from experts.write.writer import PHRASINGS, ROUNDS, InstructionWriter

REQUESTS = [
    WriteRequest("object_removal", "dog", seed=1),
    WriteRequest("deblur", seed=2),
    WriteRequest("object_removal", "car", count=2, seed=3),
    WriteRequest("global_style_transfer", prompt="a pencil sketch", seed=4),
]


SHORT: list[Message] = [
    {"role": "system", "content": "Answer in a word."},
    {"role": "user", "content": "A color?"},
]
"""Its beginning is soon computed."""


class FakeChat:
    """Answers every conversation with the same texts and notes what it was asked."""

    name, version = "fake", "1"

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.asked: list[tuple[str, int]] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def complete(
        self,
        batch: Sequence[Sequence[Message]],
        seeds: Sequence[int],
        *,
        n: int,
        temperature: float,
        max_tokens: int,
        schema: object = None,
    ) -> list[list[str]]:
        self.asked += [(m[-1]["content"], s) for m, s in zip(batch, seeds, strict=True)]
        return [self.texts[:n] for _ in batch]


def test_the_first_candidate_that_passes_is_taken_and_mended() -> None:
    chat = FakeChat("The dog is too far away.", " erase the dog from the scene")
    (made,) = InstructionWriter(chat, candidates=2).write(REQUESTS[:1])
    assert made.text == "Erase the dog from the scene."
    assert made.by == "model"
    assert made.model == "fake@1"
    assert made.tries == (("The dog is too far away.", "not_imperative"),)


def test_garbage_falls_to_a_template_and_every_try_is_recorded() -> None:
    chat = FakeChat("The dog is too far away.", 'Say "hello"')
    made = InstructionWriter(chat, candidates=2).write(REQUESTS)
    for request, instruction in zip(REQUESTS, made, strict=True):
        assert instruction.by == "template"
        assert check(instruction.text, request) == ""
        assert len(instruction.tries) == 2 * ROUNDS
        assert {reason for _, reason in instruction.tries} == {"not_imperative", "quotes"}


def test_every_phrasing_holds_and_no_two_are_alike() -> None:
    chat = FakeChat("Erase the dog.", "Erase the dog.")
    for request, made in zip(REQUESTS, InstructionWriter(chat).write(REQUESTS), strict=True):
        assert made.phrasings[0] == made.text
        assert len(set(made.phrasings)) == len(made.phrasings) == PHRASINGS
        assert all(check(text, request) == "" for text in made.phrasings)
        assert len(made.phrasings_by) == PHRASINGS
    first = InstructionWriter(chat).write(REQUESTS[:1])[0]
    assert first.phrasings_by == ("model", "template", "template")


def test_enhanced_names_what_stays_and_has_its_length() -> None:
    for made in InstructionWriter(FakeChat("Remove the dog.")).write(REQUESTS):
        assert made.enhanced.startswith(made.text.removesuffix("."))
        assert ENHANCED_WORDS[0] <= len(words_of(made.enhanced)) <= ENHANCED_WORDS[1]


def test_rounds_never_draw_the_same_candidates_again() -> None:
    chat = FakeChat("no")
    InstructionWriter(chat, candidates=3, rounds=4).write(REQUESTS[:1])
    seeds = [seed for _, seed in chat.asked]
    drawn = [seed + candidate for seed in seeds for candidate in range(3)]
    assert len(set(drawn)) == 12


def test_only_the_unserved_are_asked_again() -> None:
    chat = FakeChat("Remove the dog.")
    InstructionWriter(chat, rounds=2).write(REQUESTS)
    asked = [note for note, _ in chat.asked]
    assert len(asked) == 1 + 2 * 3  # the dog once, the others in both rounds


def test_instructions_come_in_the_requests_order_whatever_the_batch() -> None:
    writer = InstructionWriter(FakeChat("no"))
    together = writer.write(REQUESTS)
    assert [writer.write([request])[0] for request in REQUESTS] == together
    assert writer.write(REQUESTS[::-1]) == together[::-1]


def test_nothing_to_write() -> None:
    assert InstructionWriter(FakeChat()).write([]) == []


def test_prompts_of_a_task_share_all_but_the_last_message() -> None:
    one, other = (conversation(WriteRequest("object_removal", label)) for label in ("dog", "bus"))
    assert one[:-1] == other[:-1]
    assert one[-1] != other[-1]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_examples_would_pass_their_own_checks(task: str) -> None:
    # What the model is shown must be what is accepted, or it is taught to fail.
    *shown, _ = conversation(WriteRequest(task, "dog" if TASKS[task].needs_track else ""))[1:]
    pairs = list(zip(shown[::2], shown[1::2], strict=True))
    assert len(pairs) >= 4
    for note, answer in pairs:
        assert check(answer["content"], asked_for(task, note["content"])) == ""


def asked_for(task: str, note: str) -> WriteRequest:
    """The request that a note of the prompts stands for."""
    if ": " in note:
        return WriteRequest(task, caption=note.partition(": ")[2])
    if task == "object_swap":
        one, other = re.fullmatch(
            r"\w+ (?:the|an?) (.*) (?:with|for|into|in place of) (?:the|an?) (.*)", note
        ).groups()  # type: ignore[union-attr]
        old, new = (other, one) if note.startswith("Put") else (one, other)
        return WriteRequest(task, new, other=old)
    if task == "global_style_transfer":
        return WriteRequest(task, prompt=re.sub(r"Give the \w+ an? | look$", "", note))
    if task == "local_style_transfer":
        noun, look = re.fullmatch(
            r"(?:Give|Make) the (\w+) (?:an? )?(.*?)(?: look)?", note
        ).groups()  # type: ignore[union-attr]
    else:
        noun, look = note.rpartition(" ")[2], ""
    if not TASKS[task].needs_track:
        return WriteRequest(task)
    count = {"two": 2, "three": 3}.get(note.split()[1], 2 if noun.endswith("s") else 1)
    return WriteRequest(task, noun.removesuffix("s") if count > 1 else noun, look, count=count)


def test_a_server_that_is_not_there_is_named() -> None:
    chat = OpenAIChat("http://127.0.0.1:9/v1", "any", timeout=2, attempts=1)
    with pytest.raises(EditmillError, match=r"127\.0\.0\.1:9.*check the address"):
        chat.complete([conversation(REQUESTS[0])], [0], n=1, temperature=0.5, max_tokens=4)


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaCppChat]:
    chat = LlamaCppChat()
    chat.load()
    yield chat
    chat.close()


@pytest.mark.weights
def test_the_models_words_do_not_depend_on_the_batch(llama: LlamaCppChat) -> None:
    writer = InstructionWriter(llama)
    together = writer.write(REQUESTS)
    assert writer.write([REQUESTS[2]]) == [together[2]]
    assert writer.write([REQUESTS[1], REQUESTS[0]]) == [together[1], together[0]]
    for request, made in zip(REQUESTS, together, strict=True):
        assert check(made.text, request) == ""
    assert any(made.by == "model" for made in together)


@pytest.mark.weights
def test_a_conversation_beyond_the_context_is_one_records_failure(llama: LlamaCppChat) -> None:
    long = [{"role": "user", "content": "a car " * 2000}]
    with pytest.raises(BadInput, match="shorten") as caught:
        llama.complete([long], [0], n=1, temperature=0.5, max_tokens=4)
    assert caught.value.reason == "context_full"
    assert llama.complete([conversation(REQUESTS[0])], [0], n=1, temperature=0.5, max_tokens=4)


@pytest.mark.weights
def test_the_same_model_over_http(llama: LlamaCppChat) -> None:
    # llama.cpp's own server speaks the protocol that vLLM does.
    chat = OpenAIChat(llama.address + "/v1", llama.name, concurrency=2)
    talks = [[SHORT[0], {"role": "user", "content": text}] for text in ("A color?", "A number?")]
    answers = chat.complete(talks, [1, 2], n=2, temperature=0.5, max_tokens=8)
    chat.close()
    assert [len(texts) for texts in answers] == [2, 2]
    assert all(text and "\n" not in text for texts in answers for text in texts)


@pytest.mark.weights
def test_a_real_server_keeps_to_a_schema_and_counts_tokens(llama: LlamaCppChat) -> None:
    # So small a model writes no such JSON by itself: the server holds it to it.
    served = OpenAIWriter(model=llama.name, base_url=llama.address + "/v1", concurrency=2)
    talk = [{"role": "user", "content": "Name two looks that a lamp could have."}]
    schema = schema_of(Candidates, candidates=2)
    # Short names, so that the answer ends before its tokens do, whatever a processor draws.
    schema["properties"]["candidates"]["items"]["maxLength"] = 20
    how: dict[str, Any] = {"n": 1, "temperature": 0.2, "max_tokens": 400}
    for chat in (served, llama):
        before = chat.usage()
        for (text,) in chat.complete([talk, talk], [1, 2], schema=schema, **how):
            answer = read(text, Candidates)
            assert answer is not None and len(answer.candidates) == 2, text
        used = chat.usage() - before
        assert used.requests >= 2 and used.prompt_tokens > 40 and used.completion_tokens > 10
    request = WriteRequest("local_style_transfer", "dog", seed=1)
    named = Ideas(served, rounds=1).name_style(request)
    served.close()
    assert named == "" or style_fault(named, request) == ""


@pytest.mark.weights
def test_a_wrong_path_on_a_real_server_is_named(llama: LlamaCppChat) -> None:
    chat = OpenAIChat(llama.address + "/nowhere", "any", timeout=5)
    with pytest.raises(EditmillError, match="nowhere"):
        chat.complete([conversation(REQUESTS[0])], [0], n=1, temperature=0.5, max_tokens=4)


@pytest.mark.weights
def test_a_tasks_beginning_is_computed_once(
    llama: LlamaCppChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    removal, other = conversation(REQUESTS[0]), conversation(WriteRequest("deblur"))
    assert removal[:-1] != other[:-1]
    computed: list[int] = []
    ask = llama._ask

    def counted(**request: Any) -> dict[str, Any]:
        answer = ask(**request)
        computed.append(answer["usage"]["prompt_tokens_details"]["cached_tokens"])
        return answer

    llama.complete([removal, other], [0, 0], n=1, temperature=0.5, max_tokens=2)  # saved
    monkeypatch.setattr(llama, "_ask", counted)
    llama.complete([removal, other] * 2, [0] * 4, n=1, temperature=0.5, max_tokens=2)
    assert len(computed) == 4 and min(computed) > 80


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where states are kept, none yet; weights are where they were."""
    monkeypatch.setattr(prompt_states, "cache_dir", lambda: tmp_path)
    return tmp_path / "prompts"


@pytest.mark.weights
def test_a_state_serves_other_processes_and_a_damaged_one_is_made_anew(states: Path) -> None:
    texts, requests = [], []
    for end in (None, 1000, -1, None):  # of what it leaves to the next one
        with contextlib.closing(LlamaCppChat()) as chat:
            texts.append(chat.complete([SHORT], [3], n=2, temperature=0.8, max_tokens=12))
        requests.append(chat.usage().requests)
        (state,) = states.glob("*/*")
        state.write_bytes(state.read_bytes()[:end])
    assert texts == texts[:1] * 4
    assert requests == [2, 1, 2, 2]


def test_only_so_many_states_are_kept_those_used_last(states: Path) -> None:
    kept = prompt_states.PromptStates("model")
    names = [f"{k:03}" for k in range(prompt_states.MOST_KEPT)]
    for k, name in enumerate(names):
        os.utime(saved(kept, name), (k, k))
    assert kept.restored("000", lambda name: True)
    saved(kept, "new")
    there = {path.name.partition("-")[0] for path in kept.folder.iterdir()}
    assert there == {"000", *names[2:], "new"}


@pytest.mark.parametrize("damaged", [b"stat", b"stats"])
def test_a_damaged_state_is_not_given_to_the_model(states: Path, damaged: bytes) -> None:
    saved(prompt_states.PromptStates("model"), "a").write_bytes(damaged)
    kept = prompt_states.PromptStates("model")
    assert not kept.restored("a", lambda name: True)
    saved(kept, "a")
    assert kept.restored("a", lambda name: True)


def test_a_save_that_fails_leaves_nothing_behind(states: Path) -> None:
    kept = prompt_states.PromptStates("model")

    def save(part: str) -> None:
        (kept.folder / part).write_bytes(b"st")
        raise EditmillError("the disk is full")

    with pytest.raises(EditmillError):
        kept.save("a", save)
    assert not any(kept.folder.iterdir())


def saved(kept: prompt_states.PromptStates, name: str) -> Path:
    """The saved state's file."""
    kept.save(name, lambda part: (kept.folder / part).write_bytes(b"state") and None)
    return next(kept.folder.glob(f"{name}-*"))


def test_without_a_cache_that_can_be_written_states_are_one_objects(states: Path) -> None:
    states.write_text("in the folder's place")
    own = prompt_states.PromptStates("model")
    assert own.folder.is_dir() and states not in own.folder.parents
    own.close()
    assert not own.folder.exists()


@pytest.mark.weights
def test_a_state_whose_end_found_no_room_is_not_kept(
    states: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = LlamaCppChat._slot

    def on_full_disk(chat: LlamaCppChat, action: str, file: str) -> Any:
        answer = slot(chat, action, file)
        (path,) = states.glob(f"*/{file}")
        os.truncate(path, path.stat().st_size - 1)
        return answer

    monkeypatch.setattr(LlamaCppChat, "_slot", on_full_disk)
    with contextlib.closing(LlamaCppChat()) as chat, pytest.raises(EditmillError, match="its end"):
        chat.complete([SHORT], [0], n=1, temperature=0.5, max_tokens=2)
    assert not any(states.glob("*/*"))


@pytest.mark.weights
def test_a_state_that_cannot_be_saved_is_one_line_with_a_remedy(states: Path) -> None:
    chat = LlamaCppChat()
    chat.load()
    shutil.rmtree(states)  # what a full disk does
    with pytest.raises(EditmillError, match=r"cannot save its state in .*EDITMILL_CACHE"):
        chat.complete([SHORT], [0], n=1, temperature=0.5, max_tokens=2)
    chat.close()
