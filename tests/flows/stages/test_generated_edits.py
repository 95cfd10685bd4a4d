"""Edits that a generator paints, from a plan to a pair and back."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

import catalog
from catalog import media
from catalog.records import Clip, Pair, Track
from experts import serving
from experts.annotate.clip import AnnotatedClip
from experts.edit.job import DecodedClip, Job, carry_out
from experts.plan.bank import Bank
from experts.write.request import request_for
from flows import recipe
from flows.runtime.context import Context, context
from flows.stages import edit, plan
from flows.stages.plan import PlannedClip
from tests.checkpoints import flux2_klein, wan_vace
from tests.flows.stages.test_swap_stages import known_clip
from tests.flows.tiny_training import Written, write_catalog


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_catalog(tmp_path_factory.mktemp("generated") / "catalog", sources=1)


@pytest.fixture(scope="module")
def ctx(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Context:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    vace = {
        "provider": "wan_vace",
        "checkpoint": str(wan_vace.make(folder / "vace")),
        **{"device": "cpu", "steps": 2, "frames": 9, "overlap": 1, "max_pixels": 4096},
    }
    klein = {
        "provider": "flux2_klein",
        "checkpoint": str(flux2_klein.make(folder / "klein")),
        **{"device": "cpu", "steps": 1, "max_pixels": 4096},
    }
    made = recipe.Recipe.model_validate(
        {
            "name": "generated",
            "sources": [{"kind": "folder", "path": "."}],
            "plan": {"weights": {"object_removal": 1, "object_swap": 1}},
            "models": {"first_frame": klein},
            "experts": {"object_removal": vace, "inpainter": vace},
        }
    )
    again = recipe.Recipe.model_validate(made.model_dump(mode="json"))
    decided = {name: value for name, value in vace.items() if name != "device"}
    assert again == made and made.decisions()["experts"] == {
        "object_removal": decided,
        "inpainter": decided,
    }
    pinned = serving.pinned(made.experts, written.root)
    return context(written.root, made.model_copy(update={"experts": pinned}))


def jobs_of(written: Written) -> list[Job]:
    tables = catalog.open(written.root).tables
    clip = next(c for c in tables.records("clips") if c.clip_id == written.plan.clip_id)
    tracks = {t.track_id: t for t in tables.records("tracks") if t.clip_id == clip.clip_id}
    assert isinstance(clip, Clip) and all(isinstance(t, Track) for t in tracks.values())
    swap = replace(written.plan, plan_id="swap", task="object_swap", params={"replacement": "cube"})
    return [Job(each, clip, tracks) for each in (written.plan, swap)]


def test_a_plan_becomes_a_pair_that_can_be_made_again(written: Written, ctx: Context) -> None:
    jobs = jobs_of(written)
    shard = [PlannedClip(jobs[0].clip, jobs[0].tracks, [job.plan for job in jobs])]
    made = {each.plan.task: each for each in edit.run(ctx, shard)}
    assert set(made) == {"object_removal", "object_swap"}
    computed = ctx.stats.stage(edit.STAGE).done
    assert {e.plan.task for e in edit.run(ctx, shard)} == set(made)
    assert ctx.stats.stage(edit.STAGE).done == computed  # the journal knows them

    footage = DecodedClip(ctx.catalog, ctx.catalog.media)
    for job in jobs:
        each = made[job.plan.task]
        assert each.expert == "wan_vace"
        assert each.output_licence is None  # of a checkpoint in a folder nobody knows it
        assert each.info["windows"] == 2 and each.info["model_size"] == [9, 48, 64]

        params = {**job.plan.params, **each.info}
        pair = cast(
            Pair, type("Row", (), {"task": job.plan.task, "expert": each.expert, "params": params})
        )
        expert = serving.that_made(ctx.catalog, pair)
        assert (expert.name, expert.version) == (each.expert, each.expert_version)
        results = [carry_out(job, footage, expert) for _ in range(2)]
        assert np.array_equal(results[0].frames, results[1].frames)
        with ctx.catalog.media.writing(".mp4") as out:
            media.write_video(out.path, results[0].frames, job.clip.fps)
        assert out.ref == each.made.video  # byte for byte what the build made
        real, masks = footage.frames(job), results[0].masks
        assert masks is not None and results[0].frames.shape == real.shape
        assert np.array_equal(results[0].frames[~masks], real[~masks])
        assert (results[0].frames[masks] != real[masks]).mean() > 0.5
    assert made["object_swap"].info["first_frame"] == "flux2_klein"
    assert made["object_removal"].info["first_frame"] == ""


def test_a_swap_is_planned_without_a_donor(ctx: Context) -> None:
    known = known_clip(ctx, "red", (190, 40, 40))
    car = replace(known.tracks[0], label="car")
    (planned,) = plan.run_swaps(ctx, [AnnotatedClip(known.clip, [car])], Bank(()))
    (drawn,) = planned.plans
    assert drawn.params["replacement"] in ("truck", "bus")
    (made,) = edit.run(ctx, [planned])
    assert made.expert == "wan_vace" and made.info["first_frame"] == "flux2_klein"
    asked = request_for(drawn, known.clip)
    assert (asked.other, asked.label) == (drawn.params["replacement"], "car")
