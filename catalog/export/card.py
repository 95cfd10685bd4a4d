"""The dataset card: a README.md that says what an export holds, where it comes from, under which
licences, how it was judged, and how to load it. On the hub's formats with the hub's YAML head."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl
import yaml

from catalog.credentials import SigningIdentity
from catalog.errors import one_line
from catalog.export.format import Format
from catalog.provenance.values import filter_versions
from catalog.records import SCORES, VLM_SCORES, Release
from catalog.releases import Catalog
from catalog.report.markdown import bullets, section, table, thresholds
from catalog.report.release_card import LIMITS, MOST_SOURCES

HUB_LICENCES = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-3.0", "cc-by-4.0",
    "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "unlicense",
)  # fmt: skip
"""Licences that the hub has an identifier for (huggingface.co/docs/hub/repositories-licenses) and
that footage comes under; all others are `other`."""

MOST_SIZES = 12

LINKS = (
    "A medium taken as it is may be a hard link to the catalog's own file: read it, and never "
    "write to it in place, or the catalog changes too. `editmill export … --copy` makes copies."
)


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """What a card is written from; `frame` has the exported rows with their `split`."""

    dataset: Catalog
    format: Format
    frame: pl.DataFrame
    where: str | None
    shares: Mapping[str, float]
    counts: Mapping[str, int]
    left_out: Mapping[str, int]
    files: Mapping[str, int]
    content: str
    """A digest that no export of other content has."""
    signed: int = 0
    """Videos with content credentials, and who signed them."""
    signer: SigningIdentity | None = None


def card(of: DatasetCard) -> str:
    """The card as Markdown; the same export has the same card."""
    release = of.dataset.released
    parts = [
        *(_head(of) if of.format.hub else ()),
        f"# {sum(of.counts.values())} {_noun(of)} for {of.format.reader}",
        _origin(of, release),
        section(
            "How to load it",
            bullets((*of.format.notes, *(of.format.mask_notes if _has_masks(of) else ()))),
        ),
        section("What it holds", _contents(of)),
        section("Videos", _videos(of)),
        section("Content credentials", _credentials(of)),
        section("Filters and thresholds", _filters(of, release)),
        section("Licences and sources", _licences(of)),
        section("Models that took part", _models(of, release)),
        section("Limits", bullets((*LIMITS, LINKS))),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _head(of: DatasetCard) -> Iterator[str]:
    licences = {str(licence).lower() for licence in of.frame["licence"].unique()}
    known = licences.pop() if len(licences) == 1 else ""
    total = sum(of.counts.values())
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
    head = {
        "license": known if known in HUB_LICENCES else "other",
        "language": ["en"],
        "tags": ["video-editing", "instruction-based-editing", "editmill"],
        "size_categories": [next((name for most, name in bounds if total < most), "n>1M")],
        "configs": [
            {
                "config_name": "default",
                # `datasets` caches by the folder's name and this head, not by what lies there.
                "description": f"export {of.content}",
                "data_files": [
                    {"split": split, "path": f"{split}/{of.format.hub}"} for split in of.counts
                ],
            }
        ],
    }
    yield f"---\n{yaml.safe_dump(head, sort_keys=False)}---"


def _has_masks(of: DatasetCard) -> bool:
    return bool(of.frame.select((pl.col("mask").fill_null("") != "").any()).item())


def _noun(of: DatasetCard) -> str:
    return {
        "pairs": "instruction pairs of videos",
        "preferences": "preference pairs of edited videos",
        "local_edits": "local-editing records",
    }[of.format.rows]


def _origin(of: DatasetCard, release: Release | None) -> str:
    made = f", released on {release.created_at[:10]}" if release else ", not a release: it may grow"
    lines = [
        f"Exported by editmill {_version()} as `{of.format.name}` from `{of.dataset.ref}`{made}."
    ]
    if release and release.code:
        lines.append(f"The release was built by editmill {release.code}.")
    if release and release.notes:
        lines.append(f"The release's notes: {one_line(release.notes)}")
    if of.where:
        lines.append(f"Only rows that meet `{of.where}`.")
    elif of.format.rows == "pairs":
        lines.append("Only pairs that its filters kept.")
    return "\n".join(lines)


def _contents(of: DatasetCard) -> str:
    splits = list(of.counts)
    counts = of.frame.group_by("task", "split").len().sort("task")
    held = {(task, split): n for task, split, n in counts.iter_rows()}
    tasks = of.frame["task"].unique().sort().to_list()
    rows = [(task, *(held.get((task, split), 0) for split in splits)) for task in tasks]
    rows.append(("all", *of.counts.values()))
    text = table(("task", *splits), rows)
    files = ", ".join(f"{what} {n}" for what, n in sorted(of.files.items()))
    writes = of.format.writes
    if of.format.mask_writes and _has_masks(of):
        writes += f", {of.format.mask_writes}"
    text += f"\n\nFiles: {files}. Each split lies in a folder of its name: {writes}."
    if of.format.rows != "local_edits":
        text += (
            "\n\n`provenance/<split>.jsonl` has a document per pair: its way from the source "
            "through models, seed, parameters and filters to its verdict."
        )
    if len(of.shares) > 1:
        shares = ", ".join(f"{name} {share:g}" for name, share in of.shares.items())
        text += (
            f"\n\nSplits are drawn by the hash of the source's id ({shares}): all that was made of "
            "one video is in one split."
        )
    if empty := of.shares.keys() - of.counts.keys():
        text += f"\n\nNo source fell into {', '.join(sorted(empty))}: there is no such folder."
    return text


def _videos(of: DatasetCard) -> str:
    lines = [f"Asked of the videos: {of.format.needs}."]
    if of.format.needs.alike:
        lines.append(
            "A pair that did not fit was encoded anew (H.264, CRF 18): frames are dropped or "
            "repeated, never blended, the picture is cropped at its centre and resized."
        )
    if of.left_out:
        left = "; ".join(f"{n} {reason}" for reason, n in of.left_out.items())
        lines.append(f"Left out: {left}.")
    lines.append("Before that, in the catalog:")
    prefix = "" if of.format.rows == "local_edits" else "target_"
    names = [f"{prefix}{name}" for name in ("width", "height", "frames", "fps")]
    shapes = of.frame.group_by(names).len().sort("len", *names, descending=[True] + [False] * 4)
    rows = [
        (f"{w} × {h}", frames, f"{fps:.6g}", n)
        for w, h, frames, fps, n in shapes.head(MOST_SIZES).iter_rows()
    ]
    more = len(shapes) - len(rows)
    shapes_table = table(("size, px", "frames", "frames/s", "records"), rows)
    return (
        "\n".join(lines)
        + "\n\n"
        + shapes_table
        + (f"\n\nand {more} other shapes." if more > 0 else "")
    )


def _credentials(of: DatasetCard) -> str:
    if not of.signed or of.signer is None:
        return ""
    return (
        f"{of.signed} generated videos carry C2PA content credentials: a signed statement inside "
        "the file that says what made it. It names the SHA-256 of the pair's document in "
        "`provenance/`. Footage and masks carry none; transcoding removes them.\n\n"
        f"Signed with the certificate of `{of.signer.common_name}`, whose SHA-256 is "
        f"`{of.signer.sha256}`. Any C2PA reader verifies a file (`c2patool FILE`): changing a byte "
        "shows. Where the reader knows no authority above the certificate it says so "
        "(`signingCredential.untrusted`): compare the certificate."
    )


def _filters(of: DatasetCard, release: Release | None) -> str:
    if of.format.rows == "local_edits":
        return ""
    versions: dict[str, set[str]] = {}
    for text in of.frame["filter_versions"].unique().sort().to_list():
        for name, version in filter_versions(text).items():
            versions.setdefault(name, set()).add(version)
    rows = []
    for name in SCORES:
        if name in VLM_SCORES and name not in versions:
            continue
        score = pl.col(f"{name}_score")
        low, high, measured = of.frame.select(
            score.min(), score.max().alias("high"), score.count().alias("measured")
        ).row(0)
        told = f"{low:.3g} to {high:.3g}" if measured else "not measured"
        rows.append((name, ", ".join(sorted(versions.get(name, ()))) or "–", told, measured))
    text = table(("filter", "version", "scores here", "records measured"), rows)
    cuts = thresholds(of.dataset.policy) or _settings(release)
    return text + (f"\n\nThresholds:\n\n{cuts}" if cuts else "")


def _settings(release: Release | None) -> str:
    """The filters' part of the recipe, which holds the thresholds in a catalog of format 1."""
    try:
        filters = json.loads(release.recipe)["filters"] if release else {}
    except (ValueError, KeyError, TypeError):  # released by hand, under some other description
        filters = {}
    return bullets(
        f"`{name}`: {json.dumps(value)}"
        for name, value in filters.items()
        if value not in (None, {})
    )


def _licences(of: DatasetCard) -> str:
    by = of.frame.group_by("licence", "source_uri").len().sort("licence", "source_uri")
    if len(by) <= MOST_SOURCES:
        text = table(("licence of the source", "source", "records"), by.iter_rows())
    else:
        by = of.frame.group_by("licence").agg(pl.col("source_id").n_unique(), pl.len())
        heads = ("licence of the source", "sources", "records")
        text = table(heads, by.sort("licence").iter_rows())
    if "output_licence" in of.frame.columns:
        columns = ["output_licence", *(c for c in ("may_train",) if c in of.frame.columns)]
        outputs = of.frame.group_by(columns).len().sort(columns)
        rows = [[_told(value) for value in row] for row in outputs.iter_rows()]
        headings = {"output_licence": "licence of the made side", "may_train": "may train a model"}
        text += "\n\n" + table((*(headings[c] for c in columns), "records"), rows)
    return text


def _told(value: str | bool | int | None) -> str | int:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _models(of: DatasetCard, release: Release | None) -> str:
    columns = ("name", "version", "licence", "origin")
    models = of.dataset.models().select("model_id", *columns).collect()
    if release and release.models:
        models = models.filter(pl.col("model_id").is_in(list(release.models)))
    rows = models.select(columns).unique().sort("name", "version").iter_rows()
    return table(("model", "version", "licence", "origin"), rows) if len(models) else ""


def _version() -> str:
    try:
        return importlib.metadata.version("editmill")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "(not installed)"
