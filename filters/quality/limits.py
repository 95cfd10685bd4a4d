"""From where on a fault is plain (filters.quality.checks)."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 1 / 255


@dataclass(frozen=True, slots=True)
class FaultLimits:
    """Where a fault is plain. Chosen on the footage that infra/bench/split.toml says may be tuned
    on; infra/bench/results/quality.md has what right and broken edits reach there and elsewhere.

    - `kept`: of a removal, share of the object's pixels that are still the footage's own, and
      `left`: share of them that are nearer to the object than to what other frames show there. What
      passes before the object makes other frames show something else, so that much may be nearer to
      it than to that; but it is not the same
    - `unchanged`, `changed`, colour 0–1, and `unchanged_share`: of the frames, at least that share
      differs from the footage by no more than a codec's noise while the others differ plainly
    - `stopped`: log of the made side's change from frame to frame over the footage's, outside of
      what was edited, where both show the same
    - `repeated`, `moving`, luma 0–1, and `repeated_share`: steps in which the made side repeats its
      frame while the footage moves
    - `jumps`, `calm`, `calmer`: of a removal, log of the fill's change where the hole comes or goes
      over that within it, in the half of the clip where it is greatest; log of the change within
      over that around it; and log of the change within over that of the same places while they are
      seen, in the half where it is least: a fill that repeats itself while the footage moves on.
      Something else that moves beside the hole makes the first two great, but not the third
    - `blurred`: log of a fill's fine detail over that of what other frames show there
    - `flattened`: log of a fill's gradients over what other frames show of them, in the direction
      in which most is lost: a smear, also in one direction
    - `still`: of a style, share of the steps in which what moves in the footage stands still
    - `smoothed`: of a style, log of its gradients over the footage's, as they are and each over the
      contrast of its side, in the direction in which most is lost
    - `garish`: of a style, share of the pixels with one channel full and another empty, less the
      footage's, and `tones`, nats: entropy of the channel with the fewest tones, less the footage's
    - `banded`: of a style whose prompt does not mean few tones, share of them in peaks of the
      channels' histograms, less the footage's
    - `undone`: of a style, share of its region that is the footage's own, in colours that it
      changes elsewhere, and `lost`: of an object's, greatest share of it that is styled in one
      frame and outside of the mask, the footage's own, in the next (`filters.features.coverage`)
    - `edges_kept`: of a whole clip's style, how much stronger its edges are along the footage's
      strongest than elsewhere (`filters.quality.checks.edges_kept`)
    - `colourful`: of a style whose prompt names a colour, saturation, 0–1, that a tenth of the
      region reaches at least
    """

    kept: float = 0.37
    left: float = 0.6
    unchanged: float = 1.5 * LEVEL
    changed: float = 8 * LEVEL
    unchanged_share: float = 0.2
    stopped: float = -0.25
    repeated: float = 0.4 * LEVEL
    moving: float = 2.0 * LEVEL
    repeated_share: float = 0.25
    jumps: float = 0.85
    calm: float = -0.2
    calmer: float = -0.35
    blurred: float = -1.1
    flattened: float = -0.45
    still: float = 0.25
    smoothed: float = -0.75
    garish: float = 0.12
    tones: float = -1.8
    banded: float = 0.05
    undone: float = 0.07
    lost: float = 0.02
    edges_kept: float = 1.5
    colourful: float = 0.05
