"""The footage bench's drawn and recorded screens: pages in a real browser, editors, title cards."""

from __future__ import annotations

import io
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frame = NDArray[np.uint8]

SIZE = 270, 480


def editor(code: str, length: int, dark: bool) -> list[Frame]:
    """Somebody types: a side bar, a menu, text that grows, a cursor that blinks."""
    paper, ink = ((30, 30, 30), (212, 212, 212)) if dark else ((255, 255, 255), (20, 20, 20))
    bar = tuple(int(c * 0.85 + 20) for c in paper)
    lines = code.splitlines()
    font = ImageFont.load_default(11)
    made = []
    typed = 600
    for k in range(length):
        typed += 0 if k % 30 > 18 else 8
        page = Image.new("RGB", SIZE[::-1], paper)
        draw = ImageDraw.Draw(page)
        draw.rectangle((0, 0, SIZE[1], 20), fill=bar)
        draw.rectangle((0, 20, 110, SIZE[0]), fill=bar)
        draw.text((6, 4), "File  Edit  View  Run  Help", ink, font)
        for row in range(12):
            draw.text((8, 28 + 18 * row), f"module_{row}.py", ink, font)
        shown = "\n".join(lines)[:typed].splitlines()[-22:]
        for row, line in enumerate(shown):
            draw.text((120, 26 + 15 * row), line, ink, font)
        if k % 6 < 3:
            draw.rectangle((300, 26 + 15 * len(shown), 302, 38 + 15 * len(shown)), fill=ink)
        made.append(np.asarray(page))
    return made


def title_card(background: Sequence[Frame], text: str, size: int) -> list[Frame]:
    """Large text over moving pictures, another every three seconds: a lyric or quote video."""
    font = ImageFont.load_default(size)
    words = textwrap.wrap(text, 22)
    made = []
    for k, frame in enumerate(background):
        page = Image.fromarray(cv2.GaussianBlur(frame, (0, 0), 3))
        draw = ImageDraw.Draw(page)
        first = k // 18 * 3 % max(1, len(words))
        for row, line in enumerate((words * 3)[first : first + 5]):
            y = page.height * (row + 1) / 6
            draw.text((page.width / 2, y), line, (255, 255, 255), font, "mm", stroke_width=1,
                      stroke_fill=(0, 0, 0))  # fmt: skip
        made.append(np.asarray(page))
    return made


def credits(text: str, length: int, speed: int) -> list[Frame]:
    """White lines that roll over black."""
    font = ImageFont.load_default(20)
    lines = textwrap.wrap(text, 40)
    roll = Image.new("RGB", (SIZE[1], 30 * len(lines) + 2 * SIZE[0]), (0, 0, 0))
    draw = ImageDraw.Draw(roll)
    for row, line in enumerate(lines):
        draw.text((SIZE[1] / 2, SIZE[0] // 4 + 30 * row), line, (230, 230, 230), font, "mm")
    rolled = np.asarray(roll)
    tops = [speed * k % (rolled.shape[0] - SIZE[0]) for k in range(length)]
    return [rolled[top : top + SIZE[0]] for top in tops]


def pages(addresses: Sequence[str], length: int) -> Iterator[tuple[str, list[Frame]]]:
    """Each page in headless Chromium, read as people do: a while still, then scrolled."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1280,800"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        for address in addresses:
            driver.get(address)
            shots: list[Frame] = []
            top = 0
            for k in range(length // 3):  # a screenshot takes long; each stands for three frames
                if k % 8 >= 4:
                    top += 130
                driver.execute_script(f"window.scrollTo(0, {top})")
                picture = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
                small = cv2.resize(np.asarray(picture), (480, 256), interpolation=cv2.INTER_AREA)
                shots += [small] * 3
            yield Path(address).stem, shots
    finally:
        driver.quit()
