"""All filters on all pairs, with one pass of the encoder per pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from catalog.policy import Policy, Threshold
from filters.base import Filter, PairFrames, Verdict
from filters.encoder.base import Encoder
from filters.features import PairFeatures, describe


class FeatureFilter(Filter, Protocol):
    """A filter that judges by the shared features."""

    @property
    def cut(self) -> Threshold | None:
        """Where it cuts its score; None for one that decides by other means."""
        ...

    def verdicts(
        self, samples: Sequence[PairFrames], features: Sequence[PairFeatures]
    ) -> list[Verdict]: ...


def judge(
    samples: Sequence[PairFrames], filters: Sequence[FeatureFilter], encoder: Encoder
) -> list[dict[str, Verdict]]:
    """Per sample every filter's verdict by the filter's name, in the filters' order.

    Every filter judges every pair, whatever the others answer. `encoder` is the one that the
    filters share.
    """
    features = describe(samples, encoder)
    columns = {f.name: f.verdicts(samples, features) for f in filters}
    return [{name: verdicts[i] for name, verdicts in columns.items()} for i in range(len(samples))]


def policy_of(filters: Sequence[FeatureFilter], more: Sequence[Threshold] = ()) -> Policy:
    """The policy that decides as these filters do, from their scores alone, and by `more`
    thresholds of scores that others give."""
    cuts = (each.cut for each in filters)
    return Policy((*(cut for cut in cuts if cut is not None), *more))
