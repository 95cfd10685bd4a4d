"""What may be done to a catalog with pairs, in any order."""

import polars as pl
from hypothesis import strategies as st

from catalog.policy import Policy, Threshold
from catalog.records import Release, Source
from catalog.releases import Catalog
from tests.editmill.small_catalog import make_pair

MILD, STRICT = (Policy((Threshold("quality", "at_least", "edit_failed", v),)) for v in (0.3, 0.7))
PARTS = "abcd"

_part = st.sampled_from(PARTS)
_pairs = st.lists(
    st.tuples(
        st.sampled_from(["removal", "style"]),
        st.sampled_from([0.1, 0.5, 0.9, None]),
        st.sampled_from([("lama", "MIT", True), ("wan", "", None)]),
    ),
    max_size=3,
)
STEPS = st.one_of(
    st.tuples(st.just("put"), st.dictionaries(_part, _pairs, min_size=1)),
    st.tuples(st.just("put under another policy"), st.dictionaries(_part, _pairs, min_size=1)),
    st.tuples(st.just("forget"), _part),
    st.tuples(st.just("drop"), _part),
    st.tuples(st.just("join"), st.none()),
    st.tuples(st.just("release"), st.sampled_from([(), ("a",)])),
    st.tuples(st.just("decide"), st.sampled_from([MILD, STRICT])),
)


def put(at: Catalog, parts: dict[str, list[tuple]], policy: Policy) -> None:
    made = {
        part: [
            make_pair(task, "s", "t", source_id=part, seed=number, quality_score=score,
                      subtle_score=None, expert=expert, output_licence=licence, may_train=may)
            for number, (task, score, (expert, licence, may)) in enumerate(pairs)
        ]
        for part, pairs in parts.items()
    }  # fmt: skip
    sources = {
        part: [Source(part, part, part, f"licence {len(pairs)}", 64, 48, 25.0, 40, "h264")]
        for part, pairs in parts.items()
    }
    at.select("one", "{}", policy, "1").tables.put("pairs", made, policy.decide)
    at.tables.put("sources", sources)


def take(at: Catalog, what: str, of, tag: str) -> Release | None:
    """A step of STEPS; the release under `tag`, where it makes one."""
    if what == "put":
        put(at, of, MILD)
    elif what == "put under another policy":
        put(at, of, STRICT)
    elif what == "forget":
        for table in ("pairs", "sources"):
            at.tables.remove(table, pl.col("source_id") == of)
    elif what == "drop":
        at.tables.drop("pairs", [of])
    elif what == "join":
        at.compact()
    elif what == "release":
        return at.release(tag, without=of)
    else:
        return at.decide(tag, of)
    return None
