"""Bar charts as inline SVG: the page may load nothing, and its style colours them."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

WIDTH, ROW, LABELS, NUMBERS = 320, 18, 112, 40
"""px of a chart, of a bar with its gap, and of what is written to both sides."""


def bars(title: str, counts: Mapping[str, int]) -> Markup:
    """A horizontal bar for each count, in the mapping's order."""
    most = max(counts.values(), default=0) or 1
    height = ROW * len(counts)
    rows = Markup().join(
        _bar(k, name, count, count / most) for k, (name, count) in enumerate(counts.items())
    )
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return Markup(
        '<figure class="plot"><figcaption>{}</figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(title, WIDTH, height, f"{title}: {listed}", rows)


def _bar(k: int, name: str, count: int, share: float) -> Markup:
    y, longest = k * ROW, WIDTH - LABELS - NUMBERS
    return Markup(
        '<text x="{}" y="{}" text-anchor="end">{}</text>'
        '<rect x="{}" y="{}" width="{:.1f}" height="{}"/>'
        '<text x="{:.1f}" y="{}">{}</text>'
    ).format(
        LABELS - 6, y + 13, name, LABELS, y + 3, max(1, longest * share), ROW - 6,
        LABELS + longest * share + 5, y + 13, count,
    )  # fmt: skip
