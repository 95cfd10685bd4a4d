"""Small vocabularies for the real tokenizer classes."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXT = (
    "a man rides a horse on the beach. two people walk past a red car and a bus in the street. "
    "a white dog runs over the grass with a ball; a cat sleeps on the couch. the video shows a "
    "bird that flies above the water, a boat, a tree and a house. what is in these videos? "
)
"""What the vocabularies are made for."""


def byte_pairs(size: int = 400) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a byte-level BPE, as GPT-2, OPT and Qwen have it: every text can be
    written, and the words of TEXT in one or two tokens."""
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learnt.train_from_iterator([TEXT * 4], trainer)
    vocabulary: dict[str, int] = learnt.get_vocab()
    by_id = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = []
    for token in by_id:
        cuts = [(token[:i], token[i:]) for i in range(1, len(token))]
        found = [(a, b) for a, b in cuts if a in vocabulary and b in vocabulary]
        before = [(a, b) for a, b in found if max(vocabulary[a], vocabulary[b]) < vocabulary[token]]
        merges += before[:1]
    return vocabulary, merges


def word_pieces(*words: str) -> dict[str, int]:
    """A WordPiece vocabulary, as BERT has it: BERT's special tokens where its own lie, letters,
    punctuation and `words`."""
    low = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    special = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012}
    free = iter(number for number in range(1, 1012) if number not in special.values())
    pieces = [c for c in low if c != "."] + [f"##{c}" for c in low if c.isalnum()] + list(words)
    return special | {piece: next(free) for piece in dict.fromkeys(pieces)}
