"""Every judgement of a pair. A filter looks at 17 frames of both sides and answers keep, score and
reason; every filter judges every pair, and every score is kept.

`judge` runs all filters over one pass of the shared encoder. `construction` checks what follows
from footage by arithmetic, `quality` and `alignment` judge with small trained models that are
shipped beside their code, `subtle` rejects edits that nobody would see. `metrics` measures what the
papers report.
"""
