"""How much of what a chat model writes can be used, and how much falls to templates.

    python infra/bench/instructions.py                              # the embedded model
    python infra/bench/instructions.py --base-url URL --model NAME  # any OpenAI-compatible server
    python infra/bench/instructions.py --limit 4                    # fewer requests of each task

Each task's requests name objects of COCO, alone and among others of their kind, moving and still.
The model is asked by both writers: for candidates of one line, and, as a capable one, once per edit
for JSON with all texts. The embedded model is asked over HTTP too, by the server that llama.cpp has
in it. `passes` are the texts that pass the checks of those the model wrote (`none` for a model that
writes no JSON of the shape asked for), `template` the parts that fell to templates. Also which
checks failed most, tokens, seconds, and the ideas for swaps and local styles.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experts.edit.tasks import TASKS
from experts.write.capable_writer import ROUNDS, CapableWriter
from experts.write.chat.models import ChatBackend, LlamaCppChat
from experts.write.chat.openai_chat import OpenAIChat, OpenAIWriter
from experts.write.ideas import Ideas
from experts.write.instruction import Instruction
from experts.write.request import Motion, WriteRequest
from experts.write.variety import distinct
from experts.write.writer import InstructionWriter

CONTEXT = 3072
"""Tokens per slot: three answers as JSON with their corrections."""

WAYS = ("process", "http", "json", "ideas")

LABELS = ("dog", "car on the left", "person walking to the right", "bicycle", "large umbrella")
OTHERS = ("cat", "truck on the right", "horse", "motorcycle", "kite")
STYLES = ("bronze", "dark green", "a pencil sketch", "old and rusty", "an oil painting")
CAPTIONS = ("a dog and two people", "several cars and a bus", "", "a bicycle", "a person")
MOTIONS: tuple[Motion, ...] = ("moving", "still", "moving", "", "still")


def requests(limit: int) -> Iterator[WriteRequest]:
    """Up to `limit` of each task."""
    for task in sorted(TASKS):
        for k in range(limit):
            i = k % len(LABELS)
            named = TASKS[task].needs_track or task == "object_addition"
            yield WriteRequest(
                task,
                label=LABELS[i] if named else "",
                other=OTHERS[i] if task == "object_swap" else "",
                prompt=STYLES[i] if task.endswith("style_transfer") else "",
                caption=CAPTIONS[i],
                count=2 if named and i == 3 and task != "object_swap" else 1,
                motion=MOTIONS[i] if named else "",
                seed=k,
            )


@dataclass
class Tally:
    """Texts, and what became of them."""

    passed: Counter[str] = field(default_factory=Counter)
    template: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, made: Instruction) -> None:
        parts = [("short", made.by), ("enhanced", made.enhanced_by)]
        parts += [("phrasings", by) for by in made.phrasings_by[1:]]
        for part, by in parts:
            (self.passed if by == "model" else self.template)[part] += 1
        self.reasons.update(reason for _, reason in made.tries)

    def row(self, part: str) -> str:
        served = self.passed[part] + self.template[part]
        return f"{self.template[part] / served:.0%}" if served else "–"

    def passes(self) -> str:
        good, bad = self.passed.total(), self.reasons.total()
        return f"{good / (good + bad):.0%}" if good + bad else "–"


def measure(
    name: str,
    chat: LlamaCppChat | OpenAIChat,
    kind: Callable[[ChatBackend], InstructionWriter | CapableWriter],
    asked: Sequence[WriteRequest],
) -> None:
    writer = kind(chat)
    before, begun = chat.usage(), time.monotonic()
    made = writer.write(asked)
    seconds, used = time.monotonic() - begun, chat.usage() - before
    tally = Tally()
    for each in made:
        tally.add(each)
    own = [each.text for each in made if each.by == "model"]
    print(
        f"| {name} | {tally.passes()} | {tally.row('short')} | {tally.row('enhanced')} "
        f"| {tally.row('phrasings')} | {distinct(own, 2):.2f} "
        f"| {used.prompt_tokens / len(asked):.0f} + {used.completion_tokens / len(asked):.0f} "
        f"| {seconds / len(asked):.2f} |"
    )
    most = ", ".join(f"{reason} {count}" for reason, count in tally.reasons.most_common(6))
    print(f"<!-- {name}: {most} -->", flush=True)


def measure_ideas(name: str, chat: LlamaCppChat | OpenAIChat, limit: int) -> None:
    asked = [
        WriteRequest("object_swap", label, caption=CAPTIONS[i], motion=MOTIONS[i], seed=k)
        for k in range(limit)
        for i, label in enumerate(LABELS)
    ]
    ideas = Ideas(chat)
    for what, named in (
        ("replacements", ideas.name_replacements(asked)),
        ("looks", ideas.name_styles(asked)),
    ):
        found = [text for text in named if text]
        shown = ", ".join(sorted(set(found))[:12])
        print(f"{name}: {len(found)} of {len(asked)} {what}, {len(set(found))} different: {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base-url", help="of a server; without it, the embedded model")
    parser.add_argument("--model", default="", help="the server's name of the model")
    parser.add_argument("--limit", type=int, default=5, help="requests of each task")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="answers asked for as JSON")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="of the embedded one")
    arguments = parser.parse_args()
    capable = partial(CapableWriter, rounds=arguments.rounds)
    asked = list(requests(arguments.limit))
    print(f"{len(asked)} requests of {len(TASKS)} tasks\n")
    print(
        "| | passes | template: short | enhanced | phrasings | distinct-2 | tokens a request "
        "| s a request |\n|---|---|---|---|---|---|---|---|"
    )
    if arguments.base_url:
        served = OpenAIWriter(model=arguments.model, base_url=arguments.base_url)
        measure("one line at a time", served, InstructionWriter, asked)
        measure("JSON", served, capable, asked)
        measure_ideas(arguments.model, served, arguments.limit)
        return
    embedded = LlamaCppChat(context=CONTEXT)
    embedded.load()
    served = OpenAIWriter(model=embedded.name, base_url=f"{embedded.address}/v1", timeout=600)
    for way in arguments.ways:
        if way == "process":
            measure("one line at a time, in this process", embedded, InstructionWriter, asked)
        elif way == "http":
            measure("one line at a time, by HTTP", served, InstructionWriter, asked)
        elif way == "json":
            measure("JSON, by HTTP", served, capable, asked)
        else:
            measure_ideas(embedded.name, served, arguments.limit)
    served.close()
    embedded.close()


if __name__ == "__main__":
    main()
