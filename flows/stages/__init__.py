"""The shard-level tasks: one file per stage, each `run(ctx, shard) -> shard`.

A stage skips, record by record, what the journal already holds, writes its rows, and hands its
records on. See `flows.runtime.results.journal` for what happens to records that fail.
"""
