import errno
import threading
from pathlib import Path

import pytest

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from flows.recipe import parse
from flows.runtime.context import Context, Stopped, context, context_of, findable
from flows.runtime.results import journal

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return context(tmp_path / "catalog", parse(RECIPE, "tiny"))


def run(ctx: Context, records: list[int], work: object, batch: int = 1) -> dict[int, dict]:
    return dict(
        journal.run(
            ctx,
            "double",
            records,
            key=digest,
            work=work,
            name=str,
            batch=batch,  # type: ignore[arg-type]
        )
    )


def double(records: list[int]) -> list[dict]:
    return [{"value": 2 * r} for r in records]


def failures(ctx: Context) -> dict[str, tuple[str, str]]:
    rows = ctx.catalog.failures().collect().iter_rows(named=True)
    return {r["record"]: (r["reason"], r["message"]) for r in rows}


@pytest.mark.parametrize("batch", [1, 3])
def test_nothing_is_computed_twice(ctx: Context, batch: int) -> None:
    calls: list[int] = []

    def work(records: list[int]) -> list[dict]:
        calls.extend(records)
        return double(records)

    first = run(ctx, [1, 2, 3, 4], work, batch)
    second = run(ctx, [4, 3, 5], work, batch)
    assert first == {r: {"value": 2 * r} for r in (1, 2, 3, 4)}
    assert second == {r: {"value": 2 * r} for r in (4, 3, 5)}
    assert calls == [1, 2, 3, 4, 5]
    stage = ctx.stats.stage("double")
    assert (stage.done, stage.reused) == (5, 2)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_bad_record_becomes_a_row_and_the_rest_goes_on(ctx: Context, batch: int) -> None:
    calls: list[int] = []

    def work(records: list[int]) -> list[dict]:
        if 2 in records:
            calls.append(2)
            raise BadInput("corrupt_video", "2: no picture in it; re-encode it")
        return double(records)

    assert run(ctx, [1, 2, 3], work, batch).keys() == {1, 3}
    assert failures(ctx) == {"2": ("corrupt_video", "2: no picture in it; re-encode it")}
    tried = len(calls)
    run(ctx, [1, 2, 3], work, batch)
    assert len(calls) == tried  # a bad record stays bad: it isn't tried again
    assert not ctx.worth_retrying


@pytest.mark.parametrize("final", [True, False])
def test_one_record_of_a_batch_may_be_refused(ctx: Context, final: bool) -> None:
    calls: list[list[int]] = []

    def work(records: list[int]) -> list[dict | BadInput]:
        calls.append(records)
        refused = BadInput("no_caption", "2: no words; serve another model", final=final)
        return [refused if r == 2 else {"value": 2 * r} for r in records]

    assert run(ctx, [1, 2, 3], work, 3).keys() == {1, 3}
    assert failures(ctx) == {"2": ("no_caption", "2: no words; serve another model")}
    assert (ctx.stats.stage("double").done, ctx.stats.stage("double").failed) == (2, 1)
    assert ctx.worth_retrying is not final
    run(ctx, [1, 2, 3], work, 3)
    assert calls == [[1, 2, 3]] + ([] if final else [[2]])


def test_an_accident_is_tried_again_and_its_row_cleared(ctx: Context) -> None:
    def accident(records: list[int]) -> list[dict]:
        raise RuntimeError("lost\nconnection")

    assert run(ctx, [7], accident) == {}
    told = "RuntimeError: lost connection; the next build tries it again"
    assert failures(ctx) == {"7": ("error", told)}
    assert ctx.worth_retrying
    assert run(ctx, [7], double) == {7: {"value": 14}}
    assert failures(ctx) == {}


def test_a_full_disk_ends_the_build_but_keeps_what_was_made(ctx: Context) -> None:
    def work(records: list[int]) -> list[dict]:
        if 3 in records:
            raise EditmillError("/data: the disk is full; free some space")
        return double(records)

    with pytest.raises(EditmillError, match="disk is full"):
        run(ctx, [1, 2, 3], work)
    assert [ctx.catalog.products.get("double", digest(r)) is None for r in (1, 2, 3)] == [
        False, False, True,
    ]  # fmt: skip


def test_ctrl_c_stops_before_the_next_record(ctx: Context) -> None:
    def work(records: list[int]) -> list[dict]:
        ctx.stop.set()
        return double(records)

    with pytest.raises(Stopped):
        run(ctx, [1, 2], work)
    assert ctx.catalog.products.get("double", digest(1)) == {"value": 2}


def test_the_first_error_is_the_one_told(ctx: Context) -> None:
    threads = [threading.Thread(target=ctx.fail, args=(Stopped(),))]
    for thread in threads:
        thread.start()
        thread.join()
    ctx.fail(EditmillError("first"))
    ctx.fail(EditmillError("second"))
    assert str(ctx.error) == "first"


def test_a_source_that_cannot_be_read_is_a_row_and_no_end(ctx: Context) -> None:
    def key(record: int) -> str:
        if record == 2:
            raise OSError(errno.EIO, "Input/output error", "two.mp4")
        return digest(record)

    found = journal.run(ctx, "double", [1, 2, 3], key=key, work=double, name=str)
    assert [record for record, _ in found] == [1, 3]
    reason, message = failures(ctx)["2"]
    assert reason == "error"
    assert message.endswith("Input/output error: 'two.mp4'; the next build tries it again")
    assert ctx.worth_retrying
    assert run(ctx, [1, 2, 3], double) == {r: {"value": 2 * r} for r in (1, 2, 3)}
    assert failures(ctx) == {}


@pytest.mark.parametrize(
    "error",
    [
        BadInput("unreadable", "v: no answer; connect the disk", final=False),
        TimeoutError(errno.ETIMEDOUT, "timed out"),
        MemoryError(),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_what_may_pass_is_not_remembered(ctx: Context, error: Exception, batch: int) -> None:
    def work(records: list[int]) -> list[dict]:
        if 1 in records:
            raise error
        return double(records)

    assert run(ctx, [1, 2], work, batch) == {2: {"value": 4}}
    assert list(failures(ctx)) == ["1"]
    assert ctx.worth_retrying
    assert ctx.catalog.products.get("double", digest(1)) is None
    assert run(ctx, [1, 2], double, batch) == {1: {"value": 2}, 2: {"value": 4}}
    assert failures(ctx) == {}


@pytest.mark.parametrize("batch", [1, 2])
def test_a_stop_within_a_record_leaves_nothing(ctx: Context, batch: int) -> None:
    def work(records: list[int]) -> list[dict]:
        ctx.stop.set()
        ctx.check_stop()
        return double(records)

    with pytest.raises(Stopped):
        run(ctx, [1, 2], work, batch)
    assert failures(ctx) == {}
    assert ctx.catalog.products.get("double", digest(1)) is None


def test_a_second_build_does_not_meet_the_first_ones_stop(tmp_path: Path) -> None:
    first, second = (context(tmp_path / "catalog", parse(RECIPE, "tiny")) for _ in range(2))
    with findable(first), findable(second):
        assert context_of(first.run) is first
        first.fail(EditmillError("first"))
        assert not context_of(second.run).stop.is_set()
        assert context_of(second.run).error is None
    assert context_of(first.run) is None  # dropped at its end


def test_a_clip_that_is_made_again_clears_its_own_failures_in_that_stage_only(
    ctx: Context,
) -> None:
    def stage(name: str, records: list[int], broken: tuple[int, ...] = ()) -> None:
        def work(batch: list[int]) -> list[dict]:
            if set(batch) & set(broken):
                raise RuntimeError("no answer")
            return double(batch)

        list(journal.run(ctx, name, records, key=digest, page=lambda r: f"clip{r // 10}",
                         work=work, name=str))  # fmt: skip

    def failed() -> set[tuple[str, str]]:
        return set(ctx.catalog.failures().select("stage", "record").collect().iter_rows())

    stage("edit", [10, 11, 12], broken=(10, 11))
    stage("edit", [20], broken=(20,))
    stage("judge", [10], broken=(10,))
    assert failed() == {("edit", "10"), ("edit", "11"), ("edit", "20"), ("judge", "10")}
    stage("edit", [10, 11, 12], broken=(11,))
    assert failed() == {("edit", "11"), ("edit", "20"), ("judge", "10")}
    stage("edit", [10, 11])
    assert failed() == {("edit", "20"), ("judge", "10")}


def test_a_clips_products_lie_on_one_page(ctx: Context) -> None:
    found = journal.run(ctx, "edit", [1, 2, 3], key=digest, page=lambda _: "clip", work=double,
                        name=str)  # fmt: skip
    assert len(list(found)) == 3
    assert len(list(ctx.catalog.storage.list("work/edit"))) == 1
    calls: list[int] = []

    def work(records: list[int]) -> list[dict]:
        calls.extend(records)
        return double(records)

    again = journal.run(ctx, "edit", [3, 4], key=digest, page=lambda _: "clip", work=work, name=str)
    assert [document["value"] for _, document in again] == [6, 8]
    assert calls == [4]
