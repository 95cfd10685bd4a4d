"""Measures how well the alignment filter tells matched from swapped prompts.

    python infra/bench/judging/alignment.py

Styles: trains the probes as `editmill train alignment` does and prints what was measured.
Objects: ConSE, trained on none of this, on real objects found by the detector, with their label
against the labels of things that are not in the clip; `filters.alignment.filter.OBJECTS` holds
the result.
"""

from __future__ import annotations

import argparse
import resource

import cv2
import numpy as np

from catalog.media import sample_frames
from experts.annotate.detection.detect import Detector
from experts.weights import fetch
from filters.alignment.filter import object_score
from filters.alignment.train import FALSE_REJECTIONS, SAMPLES, describe_metrics, train
from filters.encoder.embedded import EmbeddedEncoder, EmbeddedEncoding
from filters.roc import auc

MISNAMED = {  # what the detector, which knows 80 things, calls these clips' animals
    "clip_squirrel": "squirrel",
    "clip_bigbuckbunny": "rabbit",
}
ABSENT = ("dog", "cat", "bird", "horse", "boat", "airplane", "chair", "umbrella")


def objects(encoder: EmbeddedEncoder) -> None:
    """ConSE's AUC on real objects against absent ones, and the threshold."""
    detector = Detector()
    detector.load()
    seen: list[tuple[str, str, EmbeddedEncoding]] = []
    for clip in SAMPLES:
        frames = sample_frames(fetch(clip), 8, 640)
        counts: dict[str, int] = {}
        for frame, found in zip(frames, detector.detect(list(frames)), strict=True):
            for thing in found:
                x0, y0, x1, y1 = (int(v) for v in thing.box)
                label = MISNAMED.get(clip, thing.label)
                counts[label] = counts.get(label, 0) + 1
                small = (x1 - x0) * (y1 - y0) < 0.004 * frame.shape[0] * frame.shape[1]
                if thing.score < 0.45 or small or counts[label] > 8:
                    continue
                mask = np.zeros((1, *frame.shape[:2]), np.uint8)
                cv2.rectangle(mask[0], (x0, y0), (x1, y1), 1, -1)
                seen.append((clip, label, *encoder.encode([(frame[None], mask > 0)])))
    labels = sorted({label for _, label, _ in seen} | set(ABSENT))
    matched, swapped, mute = [], [], set()
    for clip, label, encoding in seen:
        present = {other for c, other, _ in seen if c == clip}
        for prompt in labels:
            if prompt in present and prompt != label:
                continue
            score = object_score(encoding.classes, prompt, encoder)
            if score is None:
                mute.add(prompt)
            else:
                (matched if prompt == label else swapped).append(score)
    threshold = float(np.quantile(matched, FALSE_REJECTIONS))
    caught = float((np.array(swapped) < threshold).mean())
    print(
        f"objects  {len(matched)} objects: AUC {auc(matched, swapped):.3f}, threshold "
        f"{threshold:.2f} rejects {caught:.0%} swapped; no word on: {', '.join(sorted(mute))}"
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    encoder = EmbeddedEncoder()
    print(describe_metrics(train(encoder)[0].metrics))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{usage.ru_utime + usage.ru_stime:.0f} core-s, {usage.ru_maxrss / 2**20:.1f} GiB at most"
    )
    objects(encoder)


if __name__ == "__main__":
    main()
