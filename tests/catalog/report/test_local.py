"""The page of local-editing records: its cards, its charts, and choosing in a real browser."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import catalog
from catalog.media import write_masks, write_video
from catalog.records import LocalEdit, Statistic
from catalog.report import Summary
from catalog.report.local import write_local_report
from catalog.report.plots import bars


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records over one grey clip of 8 frames, its middle masked."""
    root = tmp_path_factory.mktemp("records")
    opened = catalog.open(root, create=True)
    frames, masks = np.full((8, 96, 128, 3), 200, np.uint8), np.zeros((8, 96, 128), bool)
    masks[:, 24:72, 32:96] = True
    with opened.media.writing(".mp4") as video:
        write_video(video.path, frames, 8)
    with opened.media.writing(".mkv") as mask:
        write_masks(mask.path, masks, 8)
    edit = LocalEdit(
        edit_id="a", clip_id="c", source_id="s", subset="video", task="addition", label="car",
        video=video.ref, first_frame=0, frames=8, fps=8, crop=[0, 0, 128, 96], width=128, height=96,
        track_id="t", mask_kind="box", grow=0, propagation="track", seed=1, source_uri="pkg:a",
        licence="MIT", mask=mask.ref, mask_area=0.25, caption_short="a <b>red</b> car",
        caption_medium="a red car at the left", caption_long="A red car at the left. It is small.",
        caption_by="measured 1", motion_foreground=2.0, motion_background=0.5, motion_relative=1.5,
    )  # fmt: skip
    lost = dataclasses.replace(edit, edit_id="b", task="deletion", mask="media/00/gone.mkv")
    edits = [edit, dataclasses.replace(lost, mask_kind="hull", subset="image", frames=1)]
    counts = [Statistic("1", "task", "video", "addition", 0, 1)]
    summary = Summary("records", "2026-01-02T03:04:05+00:00", "test")
    return write_local_report(root / "report.html", edits, opened, counts, summary)


def test_a_card_per_record_and_the_charts(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert re.findall(r'data-task="(\w+)" data-subset="(\w+)" data-kind="(\w+)"', html) == [
        ("addition", "video", "box"),
        ("deletion", "image", "hull"),
    ]
    assert "a &lt;b&gt;red&lt;/b&gt; car" in html and "<b>red</b>" not in html
    assert "No preview: " in html  # of the record whose mask is gone
    assert "Records per task" in html and "<svg" in html
    assert not re.search(r"url\(|https?://(?!www\.w3\.org)", html)


def test_bars_are_as_long_as_their_counts() -> None:
    chart = str(bars("A <title>", {"many": 40, "few": 10, "none & nothing": 0}))
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"', chart)]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)
    assert widths[2] == 1
    assert "none &amp; nothing" in chart and "A &lt;title&gt;" in chart


@pytest.mark.browser
@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")), reason="needs chromium"
)
def test_choosing_and_seeing_the_mask(page: Path, tmp_path: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in ("headless", "no-sandbox", "disable-gpu", f"user-data-dir={tmp_path}"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options, webdriver.ChromeService(str(shutil.which("chromedriver"))))
    try:
        browser.get(page.as_uri())
        cards = browser.find_elements(By.CLASS_NAME, "card")
        count = browser.find_element(By.ID, "count")
        assert count.text == "2 of 2 records"
        Select(browser.find_element(By.NAME, "kind")).select_by_value("hull")
        assert [card.is_displayed() for card in cards] == [False, True]
        assert count.text == "1 of 2 records"
        browser.find_element(By.ID, "clear").click()
        browser.find_element(By.CSS_SELECTOR, '[name="subset"][value="video"] + span').click()
        assert [card.is_displayed() for card in cards] == [True, False]

        # In x the mask is tinted, in x̃ black; the rest of both is the footage.
        read = """return [...arguments[0].querySelectorAll("canvas")].map((c) =>
          [[.5, .5], [.1, .1]]
          .map(([x, y]) => [...c.getContext("2d").getImageData(x * c.width, y * c.height, 1, 1)
          .data].slice(0, 3)));"""

        def painted(driver: webdriver.Chrome) -> list[list[list[int]]] | None:
            found = driver.execute_script(read, cards[0])
            return found if sum(found[0][1]) > 300 else None

        (tinted, outside), (black, same) = WebDriverWait(browser, 20).until(painted)
        assert tinted[0] - tinted[2] > 30
        assert max(black) < 20
        assert outside == pytest.approx([200] * 3, abs=8) == same
    finally:
        browser.quit()
