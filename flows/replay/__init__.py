"""One stage run again alone, from what the catalog recorded, and compared with what it made then.

A stage is a function of its shard; the journal holds what every stage made of every record, under a
key of all that it depends on. So a stage can be run again at any time: its inputs are the catalog's
rows and the products of the stages before it, and its own products are what it is compared with.
Nothing is written into the catalog.
"""

from flows.replay.run import Replayed, replay
from flows.replay.stages import STAGES

__all__ = ["STAGES", "Replayed", "replay"]
