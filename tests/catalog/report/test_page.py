"""The page's HTML: complete, self-contained, and with every text of the dataset escaped."""

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from catalog.errors import EditmillError
from catalog.report import ModelLine, Summary, ThresholdLine, write_report
from catalog.report.cards import axes, card


class _Page(HTMLParser):
    """Elements with their attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._within = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag) -> None:
        self._within = ""

    def handle_data(self, data) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within != "style":
            self.text.append(data)

    def cards(self) -> list[dict[str, str | None]]:
        return [a for tag, a in self.elements if tag == "li" and a.get("class") == "card"]


@pytest.fixture(scope="module")
def html(made, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("page") / "report.html"
    written = write_report(out, made.pairs, made.media, made.summary)
    assert written == out
    return out.read_text(encoding="utf-8")


def test_one_card_per_pair_in_order(html, made) -> None:
    cards = _Page(html).cards()
    assert [c["data-task"] for c in cards] == [p.task for p in made.pairs]
    assert [c["data-verdict"] for c in cards] == [
        "kept" if p.keep else "rejected" for p in made.pairs
    ]
    assert [c["data-reason"] for c in cards] == [p.reason for p in made.pairs]


def test_nothing_is_loaded_from_elsewhere(html) -> None:
    page = _Page(html)
    for tag, attributes in page.elements:
        assert "src" not in attributes
        if tag == "link":
            assert attributes["href"] == "data:,"
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|WebSocket", html)
    policy = next(a for t, a in page.elements if t == "meta" and "http-equiv" in a)["content"]
    assert policy.startswith("default-src 'none'")


def test_only_the_pages_own_script_may_run(html) -> None:
    page = _Page(html)
    policy = next(a for t, a in page.elements if t == "meta" and "http-equiv" in a)["content"]
    allowed = re.search(r"script-src 'sha256-([^']+)'", policy).group(1)
    kinds = [a.get("type", "") for t, a in page.elements if t == "script"]
    running = [s for s, kind in zip(page.scripts, kinds, strict=True) if not kind]
    assert len(running) == 1
    digest = hashlib.sha256(running[0].encode()).digest()
    assert base64.b64encode(digest).decode() == allowed


def test_texts_of_the_dataset_are_escaped(html, made) -> None:
    page = _Page(html)
    assert "<script>window.injected" not in html
    assert "<img" not in html
    assert "<b>markup" not in html and "<code>plan.&lt;name&gt;</code>" in html
    assert made.pairs[5].instruction in "".join(page.text)
    assert made.pairs[5].instruction.lower() in page.cards()[5]["data-search"]
    assert not any("onerror" in attributes for _, attributes in page.elements)


def test_preview_data_cannot_end_its_script(made, tmp_path) -> None:
    out = write_report(tmp_path / "r.html", made.pairs[:1], made.media, made.summary)
    data = json.loads(_Page(out.read_text()).scripts[0])
    assert data["frames"] == 48
    assert base64.b64decode(data["video"])[4:8] == b"ftyp"
    assert len(data["masks"]) == 48


def test_every_fact_is_there(html) -> None:
    text = " ".join("".join(_Page(html).text).split())
    for fact in (
        "Remove the car.",
        "Take the car on the left out of the street.",
        "remover 1+abcdef12",
        "128×96, 24 frames at 12 fps",
        "160×96, 48 frames at 24 fps",
        "MIT",
        "pkg:pypi/some-package@1.0#clip.mp4",
        "edit failed",
        "not measured",
        "0.900",
        "≥ 0.600",
        "≤ 0.955",
        "some_model",
        "2 reused",
        "2026-01-02 03:04 UTC",
        "object removal",
    ):
        assert fact in text, fact


def test_the_profile_says_where_a_stages_time_went(html) -> None:
    elements = _Page(html).elements
    parts = {
        str(a.get("class")): str(a.get("style"))
        for tag, a in elements
        if tag == "i" and "style" in a
    }
    # Of 12.5 s of work and 1.5 s besides, 2.5 s were waiting.
    assert parts["computing"] == "width:71.4%"
    assert parts["waiting"] == "width:17.9%"
    assert parts["besides"] == "width:10.7%"
    for cell in ("12.5", "2.5", "1.5", "20.4", "800"):
        assert f'<td class="num">{cell}</td>' in html


def test_only_web_addresses_become_links(made, tmp_path) -> None:
    pairs = [
        dataclasses.replace(made.pairs[0], source_uri="javascript:alert(1)"),
        dataclasses.replace(made.pairs[0], source_uri="https://example.org/clip"),
    ]
    out = write_report(tmp_path / "r.html", pairs, made.media, made.summary)
    links = [a["href"] for t, a in _Page(out.read_text()).elements if t == "a"]
    assert "https://example.org/clip" in links
    assert not any("javascript" in link for link in links)


def test_full_size_files_are_linked_where_they_move_with_the_page(made, tmp_path) -> None:
    pairs = made.pairs[:1]
    beside = write_report(made.root / "r.html", pairs, made.media, made.summary)
    links = [a["href"] for t, a in _Page(beside.read_text()).elements if t == "a"]
    assert pairs[0].source_video in links
    assert pairs[0].mask in links
    elsewhere = write_report(tmp_path / "r.html", pairs, made.media, made.summary)
    links = [a["href"] for t, a in _Page(elsewhere.read_text()).elements if t == "a"]
    assert links == ["#pairs"]


def test_a_pair_with_unreadable_media_keeps_its_card(made, tmp_path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")

    def media(ref: str):
        return broken if ref == made.pairs[0].target_video else made.media(ref)

    out = write_report(tmp_path / "r.html", made.pairs, media, made.summary)
    page = _Page(out.read_text())
    assert len(page.cards()) == len(made.pairs)
    assert sum("No preview" in text for text in page.text) == 5
    assert any("broken.mp4" in text for text in page.text)


def test_failures_are_named_and_the_rest_is_counted(made, tmp_path) -> None:
    text = write_report(tmp_path / "r.html", [], made.media, made.summary).read_text()
    assert "a&lt;b&gt;.mp4: is no video<br>c.mp4: too<br>and 5 more" in text
    without = dataclasses.replace(made.summary, failures=[])
    text = write_report(tmp_path / "s.html", [], made.media, without).read_text()
    assert "Failures" not in text


def test_no_pairs(tmp_path) -> None:
    summary = Summary(
        "nothing", "2026-01-02T03:04:05+00:00", "test", models=[ModelLine("m", "1", "MIT", "here")]
    )
    out = write_report(tmp_path / "r.html", [], lambda ref: tmp_path / ref, summary)
    text = out.read_text()
    assert "No pairs were made" in text
    assert "<form" not in text


def test_the_second_report_uses_the_cache(made, tmp_path, monkeypatch) -> None:
    first = write_report(tmp_path / "a.html", made.pairs, made.media, made.summary, tmp_path / "c")

    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("catalog.report.preview._make", refuse)
    again = write_report(tmp_path / "b.html", made.pairs, made.media, made.summary, tmp_path / "c")
    assert first.read_bytes() == again.read_bytes()


def test_an_unwritable_place_is_one_line(made, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EditmillError, match=r"file.*cannot be written") as caught:
        write_report(tmp_path / "file" / "r.html", [], made.media, made.summary)
    assert "\n" not in str(caught.value)
    with pytest.raises(EditmillError, match="cannot be written"):
        write_report(tmp_path / "r.html", [], made.media, made.summary, tmp_path / "file" / "c")


def test_bars_and_thresholds(made) -> None:
    spans = axes(made.pairs, made.summary.thresholds)
    whole = (0.0, 1.0)
    assert spans == {
        "construction": whole,
        "quality": whole,
        "alignment": (0.0, 0.3),
        "subtle": whole,
    }

    def bars(number: int):
        made_card = card(
            made.pairs[number], "", made.summary.thresholds, spans, made.media, made.root
        )
        return {bar.name: bar for bar in made_card.scores}

    kept, failed, deblur, abstained = bars(0), bars(1), bars(2), bars(5)
    assert kept["quality"].filled == pytest.approx(0.9)
    assert kept["alignment"].filled == pytest.approx(0.25 / 0.3)
    assert kept["alignment"].mark is None
    assert kept["subtle"].state == "aside"
    assert (kept["quality"].state, failed["quality"].state) == ("passed", "failed")
    assert kept["quality"].mark == pytest.approx(0.6)
    assert deblur["quality"].mark == pytest.approx(0.5)  # the task's own threshold
    assert (abstained["quality"].state, abstained["quality"].note) == ("aside", "abstained")


def test_axes_hold_negative_scores_and_marks(made) -> None:
    pair = dataclasses.replace(made.pairs[0], alignment_score=-0.12)
    thresholds = [ThresholdLine("alignment", 0.22, "at_least")]
    assert axes([pair], thresholds)["alignment"] == (-0.12, pytest.approx(0.3))
