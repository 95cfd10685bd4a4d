"""Answers that follow a JSON schema: at each step of decoding only those tokens are left that can
go on with it (Dong et al., "XGrammar: Flexible and Efficient Structured Generation Engine for Large
Language Models", MLSys 2025), for a model in this process, as servers do it for theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


class JsonGrammar:
    """Grammars for one tokenizer. `vocabulary` is the number of the model's logits, `ends` are the
    tokens with which it ends an answer."""

    def __init__(self, tokenizer: Any, *, vocabulary: int, ends: Sequence[int]) -> None:
        import xgrammar

        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=vocabulary, stop_token_ids=list(ends)
        )
        self._vocabulary = vocabulary
        self._compiler = xgrammar.GrammarCompiler(info)

    def processor(self, schemas: Sequence[Schema | None]) -> Any:
        """A logits processor for one call of `generate` with a row per schema; a row without one is
        free."""
        compiled = [
            # Blanks between values would let a model that has lost its way write them for ever.
            schema and self._compiler.compile_json_schema(json.dumps(schema), any_whitespace=False)
            for schema in schemas
        ]
        return _processor(compiled, self._vocabulary)


def _processor(compiled: Sequence[Any], vocabulary: int) -> Any:
    import torch
    import xgrammar
    from transformers import LogitsProcessor

    class Guided(LogitsProcessor):
        """Called once per step, with the tokens so far [B, L] and the next one's logits [B, V]."""

        def __init__(self) -> None:
            self.matchers = [each and xgrammar.GrammarMatcher(each) for each in compiled]
            self.mask = xgrammar.allocate_token_bitmask(1, vocabulary)
            self.begun = False

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            for row, matcher in enumerate(self.matchers):
                if matcher is None or matcher.is_terminated():
                    continue  # after its end a row is only padded
                if self.begun:
                    matcher.accept_token(int(input_ids[row, -1]))
                if matcher.is_terminated():
                    continue
                if matcher.fill_next_token_bitmask(self.mask):
                    xgrammar.apply_token_bitmask_inplace(
                        scores[row : row + 1], self.mask.to(scores.device)
                    )
            self.begun = True
            return scores

    return Guided()
