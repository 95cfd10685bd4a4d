"""The cells in a real browser: the video plays, and each title stands over its panel."""

import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from catalog.notebook.player import GAP
from tests.editmill.small_catalog import HEIGHT, WIDTH

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER = shutil.which("chromedriver")
if not (CHROMIUM and CHROMEDRIVER) and not os.environ.get("CI"):
    pytest.skip("needs chromium and chromedriver", allow_module_level=True)

STATE = """
const video = document.querySelector("video");
const left = (element) => element.getBoundingClientRect().left;
return {
  played: video.currentTime, error: video.error && video.error.message,
  size: [video.videoWidth, video.videoHeight], shown: video.getBoundingClientRect().width,
  titles: [...document.querySelectorAll("span")].map((span) => [span.textContent, left(span)]),
};
"""


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "no-first-run",
        "disable-background-networking",
        "window-size=900,700",
        f"user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    yield driver
    driver.quit()


def test_a_pair_plays(browser, dataset, tmp_path):
    cell = dataset.sample(task="object_removal", n=1)[0]._repr_html_()
    for width in (800, 200):  # px of the notebook's column: wider and narrower than the video
        page = tmp_path / f"{width}.html"
        page.write_text(f"<meta charset=utf-8><body style='margin:0;width:{width}px'>{cell}")
        browser.get(page.as_uri())
        state = WebDriverWait(browser, 20).until(
            lambda driver: (s := driver.execute_script(STATE)) and (s["played"] or s["error"]) and s
        )
        assert state["error"] is None
        assert state["size"] == [3 * WIDTH + 2 * GAP, HEIGHT]
        scale = min(1, width / state["size"][0])
        assert state["shown"] == pytest.approx(scale * state["size"][0], abs=1)
        for k, (title, left) in enumerate(state["titles"]):
            assert title.split(",")[0] == ("source", "target", "mask")[k]
            assert left == pytest.approx(k * (WIDTH + GAP) * scale, abs=2)
