"""The choices of a sampler, without the libraries that carry them out."""

from __future__ import annotations

from typing import Literal, get_args

from catalog.errors import EditmillError

Solver = Literal["ddim", "dpm++"]
"""diffusers' CogVideoXDDIMScheduler or CogVideoXDPMScheduler (DPM-Solver++, stochastic)."""

Cache = Literal["none", "first_block", "taylorseer", "taylorseer_lite", "faster", "pyramid"]
"""How denoising steps reuse results of earlier ones (`experts.diffusion.sampling.caching`)."""

CACHES: tuple[Cache, ...] = get_args(Cache)


def cache_named(name: str) -> Cache:
    """The cache of that name; EditmillError naming the known ones if there is none."""
    for known in CACHES:
        if name == known:
            return known
    raise EditmillError(f"cache {name!r} is not known; use one of: {', '.join(CACHES)}")


def check(cache: Cache, solver: Solver) -> None:
    """Raises EditmillError for a cache that gives wrong results with the solver."""
    if cache == "taylorseer_lite" and solver != "ddim":
        raise EditmillError(
            f"cache taylorseer_lite goes with solver ddim, not with {solver}, which draws noise at "
            "every step; use taylorseer"
        )
