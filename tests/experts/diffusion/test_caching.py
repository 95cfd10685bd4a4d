"""Caches: off they are not there, on they save work, and no edit sees another's state."""

import functools
import gc
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor

from catalog.errors import EditmillError
from catalog.validated import validated
from experts.diffusion.conditioning.conditions import Conditions, control_input, main_input
from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling import caching as module
from experts.diffusion.sampling.caching import caching
from experts.diffusion.sampling.options import CACHES, Cache, Solver, cache_named
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.serving import Serving, ServingSettings
from experts.diffusion.specs import EXPERTS
from experts.diffusion.training.loss import conditions_of
from tests.experts.diffusion.small_clips import pixels
from tests.experts.diffusion.test_learning import _learn

ON = tuple(cache for cache in CACHES if cache != "none")
SIZE = (3, 4, 6)
STEPS = 12
MAIN, CONTROL = 4, 2
"""Blocks of the tiny editors."""

COMPUTED = {0, 1, 2, 4, 9}
"""Of the 12 steps those that TaylorSeer computes: three, then every fifth after the fourth."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@dataclass
class Asked:
    """One editor with conditions for `rows` edits."""

    name: str
    editor: VideoEditor
    rows: int = 2

    def sample(
        self,
        cache: Cache = "none",
        solver: Solver = "ddim",
        seed: int = 0,
        guidance_scale: float | None = None,
        rows: slice = slice(None),
    ) -> Tensor:
        spec = EXPERTS[self.name]
        conditions, prompts = self.given(rows)
        seeds = list(range(10 * seed, 10 * seed + self.rows))[rows]
        schedule = scheduler(spec.base, solver)
        return sample(
            self.editor,
            spec,
            schedule,
            conditions,
            prompts,
            SIZE,
            seeds,
            STEPS,
            guidance_scale,
            cache,
        )

    def given(self, rows: slice = slice(None)) -> tuple[Conditions, Prompts]:
        spec, generator = EXPERTS[self.name], torch.Generator().manual_seed(5)
        frames, height, width = SIZE

        def noise(*shape: int) -> Tensor:
            return torch.randn(self.rows, *shape, generator=generator)[rows]

        def video(channels: int = 16, frames: int = frames) -> Tensor:
            return noise(frames, channels, height, width)

        conditions = Conditions(
            video(frames=1), video(), video(1).sigmoid(), {name: video() for name in spec.control}
        )
        texts = [noise(5, 12) for _ in range(3)]
        return conditions, Prompts(*texts[:2], texts[2] if spec.negative_channels else None)


Asking = Callable[[str], Asked]


@pytest.fixture
def asked(base: Callable[..., Any]) -> Asking:
    def make(name: str) -> Asked:
        spec = EXPERTS[name]
        model = base("5B-I2V" if "I2V" in spec.base else "2B", num_layers=MAIN)
        editor = build(replace(spec, control_layers=CONTROL), model)
        generator = torch.Generator().manual_seed(1)
        for part in editor.added_modules().values():
            for weight in part.parameters():
                weight.data.add_(0.1 * torch.randn(weight.shape, generator=generator))
        return Asked(name, editor)

    return make


@dataclass
class Work:
    """What was computed: blocks by kind, their rows, and attentions."""

    main: int = 0
    control: int = 0
    rows: int = 0
    attentions: int = 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    done = Work()
    block, attention = CogVideoXBlock.forward, CogVideoXAttnProcessor2_0.__call__

    def forward(self: Any, hidden_states: Tensor, *rest: Any, **named: Any) -> Any:
        is_main = type(self).__name__ == "ControlledBlock"
        done.main += is_main
        done.control += not is_main
        done.rows += len(hidden_states)
        return block(self, hidden_states, *rest, **named)

    @functools.wraps(attention)  # whose signature says what may be given to it
    def attend(self: Any, *rest: Any, **named: Any) -> Any:
        done.attentions += 1
        return attention(self, *rest, **named)

    monkeypatch.setattr(CogVideoXBlock, "forward", forward)
    monkeypatch.setattr(CogVideoXAttnProcessor2_0, "__call__", attend)
    yield done


def by_hand(asked: Asked, solver: Solver, seeds: list[int]) -> Tensor:
    """Guided sampling with nothing of diffusers' caches in it."""
    spec, (conditions, prompts) = EXPERTS[asked.name], asked.given()
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    frames, height, width = SIZE
    latents = torch.stack([torch.randn(frames, 16, height, width, generator=g) for g in generators])
    schedule = scheduler(spec.base, solver)
    schedule.set_timesteps(STEPS)
    control = control_input(spec, conditions)
    before: Any = None
    for k, t in enumerate(schedule.timesteps):
        with torch.no_grad():
            away, toward = asked.editor(
                main_input(spec, latents, conditions).repeat(2, 1, 1, 1, 1),
                torch.cat([prompts.negative, prompts.positive]),
                t.expand(2 * len(seeds)),
                None if control is None else control.repeat(2, 1, 1, 1, 1),
                None
                if prompts.negative_hidden_states is None
                else prompts.negative_hidden_states.repeat(2, 1, 1),
            ).sample.chunk(2)
        v = away + spec.guidance_scale * (toward - away)
        if isinstance(schedule, CogVideoXDPMScheduler):
            last = schedule.timesteps[k - 1] if k else None
            latents, before = schedule.step(
                v, before, t, last, latents, generator=generators, return_dict=False
            )
        else:
            latents = schedule.step(v, t, latents, return_dict=False)[0]
    return latents


@pytest.mark.parametrize(
    ("name", "solver"), [("local_stylizer", "ddim"), ("inpainter", "dpm++"), ("remover", "ddim")]
)
def test_without_a_cache_the_result_is_the_plain_one_bit_for_bit(
    asked: Asking, name: str, solver: Solver
) -> None:
    one = asked(name)
    exact = by_hand(one, solver, [0, 1])
    assert torch.equal(one.sample("none", solver), exact)
    for cache in ON:
        one.sample(cache, solver)
    assert torch.equal(one.sample("none", solver), exact)  # no hook was left behind
    assert torch.equal(by_hand(one, solver, [0, 1]), exact)


@pytest.mark.parametrize(
    ("name", "solver"),
    [("local_stylizer", "ddim"), ("local_stylizer", "dpm++"), ("inpainter", "ddim"),
     ("remover", "ddim")],
)  # fmt: skip
@pytest.mark.parametrize("cache", ON)
def test_a_cache_saves_work_and_no_edit_sees_another(
    asked: Asking,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    cache: Cache,
    solver: Solver,
) -> None:
    monkeypatch.setattr(module, "THRESHOLD", 0.5)  # of random weights, the first blocks' move more
    one = asked(name)
    made = one.sample(cache, solver)
    assert made.isfinite().all()
    done = replace(work)
    one.sample(cache, solver, seed=1)
    assert torch.equal(one.sample(cache, solver), made)

    branch = CONTROL if EXPERTS[name].control else 0
    blocks = STEPS * (MAIN + branch)
    assert not torch.equal(made, one.sample("none", solver))
    if cache == "taylorseer_lite":
        assert (done.main, done.control) == (len(COMPUTED) * MAIN, len(COMPUTED) * branch)
    elif cache == "taylorseer":
        assert done.attentions == len(COMPUTED) * (MAIN + branch)
    elif cache == "first_block":
        steps, rest = divmod(done.main - STEPS, MAIN - 1)
        assert rest == 0 and 1 <= steps < STEPS  # the first block always, the others together
        assert done.control == (STEPS + (branch - 1) * steps if branch else 0)
    elif cache == "faster":
        assert done.main + done.control == blocks
        assert done.rows < 4 * blocks and done.attentions < blocks
    else:
        assert done.main + done.control == blocks and done.attentions < 0.7 * blocks


@pytest.mark.parametrize("cache", ON)
def test_an_unguided_edit_has_no_rows_to_split(asked: Asking, work: Work, cache: Cache) -> None:
    one = asked("remover")
    assert one.sample(cache, guidance_scale=1.0).isfinite().all()
    assert work.main < STEPS * MAIN or work.attentions < STEPS * MAIN
    assert work.rows == 2 * work.main


@pytest.mark.parametrize("cache", [cache for cache in ON if cache != "first_block"])
def test_a_row_is_what_it_is_alone(asked: Asking, cache: Cache) -> None:
    one = asked("inpainter")
    both = one.sample(cache)
    for k in range(2):
        assert torch.allclose(one.sample(cache, rows=slice(k, k + 1))[0], both[k], atol=1e-3)


def test_an_edit_that_breaks_off_leaves_no_hooks(asked: Asking) -> None:
    one = asked("local_stylizer")
    exact = one.sample()
    with pytest.raises(KeyboardInterrupt), caching(one.editor, "first_block", guided=True):
        raise KeyboardInterrupt
    assert not one.editor.is_cache_enabled and torch.equal(one.sample(), exact)


@pytest.mark.parametrize("cache", ON)
def test_what_a_cache_kept_is_let_go_of_without_the_garbage_collector(
    asked: Asking, cache: Cache
) -> None:
    one = asked("inpainter")
    one.sample(cache)  # what stays from a first time on
    gc.collect()

    def held() -> int:
        return sum(o.nbytes for o in gc.get_objects() if type(o) is Tensor)

    gc.disable()
    try:
        before = held()
        one.sample(cache)
        assert held() == before
    finally:
        gc.enable()


def test_a_saved_expert_is_cached_alike(asked: Asking, tmp_path: Path) -> None:
    one = asked("global_stylizer")
    one.editor.save_pretrained(tmp_path)
    again = Asked(one.name, open_expert(tmp_path))
    for cache in ON:
        assert torch.equal(again.sample(cache), one.sample(cache)), cache


@pytest.mark.parametrize("cache", ["first_block", "taylorseer_lite"])
def test_compiled_blocks_stay_beneath_the_hooks(asked: Asking, cache: Cache) -> None:
    one, graphs = asked("local_stylizer"), 0

    def backend(graph: Any, inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return graph.forward

    expected = one.sample(cache)
    torch._dynamo.reset()
    one.editor.compile_blocks(backend=backend)
    assert torch.allclose(one.sample(cache), expected, atol=1e-5)
    compiled = graphs
    assert 1 <= compiled <= 4  # a kind of block once, not each block
    one.sample(cache, seed=1)
    assert graphs == compiled
    torch._dynamo.reset()


LOSS = {"first_block": 45, "taylorseer": 40, "taylorseer_lite": 30, "faster": 30, "pyramid": 45}
"""dB of PSNR from the exact result that a cache must keep to below."""


def test_what_a_trained_remover_loses(base: Callable[..., Any], tmp_path: Path) -> None:
    learned = _learn("remover", 100, base, tmp_path, num_layers=3)
    items = [learned.examples[k] for k in range(4)]
    batch = {name: torch.stack([item[name] for item in items]) for name in items[0]}
    empty = learned.examples.empty_prompt().expand(4, -1, -1)
    spec = EXPERTS["remover"]

    def made(cache: Cache, steps: int = 30, solver: Solver = "ddim") -> Tensor:
        prompts = Prompts(batch["prompt"], empty)
        schedule, conditions = scheduler(spec.base, solver), conditions_of(batch)
        seeds = [0, 1, 2, 3]
        latents = sample(
            learned.editor, spec, schedule, conditions, prompts, SIZE, seeds, steps, None, cache
        )
        return pixels(latents).clamp(0, 255)

    exact = made("none")

    def psnr(other: Tensor, exact: Tensor = exact) -> float:
        return float(10 * torch.log10(255**2 / (other - exact).square().mean()))

    kept = {cache: psnr(made(cache)) for cache in ON}
    assert all(kept[cache] > LOSS[cache] for cache in ON), kept
    # 9 of 30 steps are computed; they are worth more than 9 steps in all.
    assert min(kept["taylorseer"], kept["taylorseer_lite"]) > psnr(made("none", 9)) + 3, kept
    # DPM++ draws noise at every step; what is extrapolated over it is spoilt, so it is refused.
    exact = made("none", solver="dpm++")
    full = psnr(made("taylorseer", solver="dpm++"), exact)
    lite = psnr(made("taylorseer_lite", solver="dpm++"), exact)
    assert full > lite + 8 and lite < 22, (full, lite)


def test_unknown_names_are_told_with_the_known_ones() -> None:
    assert [cache_named(name) for name in CACHES] == list(CACHES)
    known = "use one of: none, first_block, taylorseer, taylorseer_lite, faster, pyramid"
    with pytest.raises(EditmillError, match=f"cache 'teacache' is not known; {known}"):
        cache_named("teacache")
    with pytest.raises(EditmillError, match=r"`cache`: Input should be 'none', 'first_block"):
        validated(ServingSettings, {"cache": "teacache"}, "mine.yaml")
    with pytest.raises(EditmillError, match="taylorseer_lite goes with solver ddim"):
        validated(ServingSettings, {"cache": "taylorseer_lite", "solver": "dpm++"}, "mine.yaml")
    serve = validated(ServingSettings, {"cache": "first_block", "compile": True}, "mine.yaml")
    assert (serve.cache, serve.compile) == ("first_block", True)


def test_serving_covers_the_cache(tmp_path: Path) -> None:
    serving = Serving("remover", ((9, 32, 48),), 2, "ddim", "fp32", "x", cache="faster")
    serving.write(tmp_path)
    assert Serving.read(tmp_path) == serving
    file = tmp_path / "serving.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in values.items() if k not in ("cache", "compile")}))
    older = Serving.read(tmp_path)
    assert (older.cache, older.compile) == ("none", False)
    file.write_text(json.dumps(values | {"cache": "teacache"}))
    with pytest.raises(EditmillError, match="teacache"):
        Serving.read(tmp_path)
