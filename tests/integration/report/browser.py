# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A headless browser that looks at a report as people do, and notes everything that the page tries."""

from __future__ import annotations

import re
import shutil
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright import sync_api

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (360, 400, 1200, 1280)

# Boxes of texts that must not lie upon each other: headings, and the labels of each picture.
BOXES = """
() => [...document.querySelectorAll('h1, h2, h3, caption:not(.hidden), svg[role=img] text, .lanes div')]
  .map(one => ({text: one.textContent, box: one.getBoundingClientRect()}))
  .filter(one => one.box.width && one.box.height)
  .map(({text, box}) => ({text, left: box.left, top: box.top, right: box.right, bottom: box.bottom}))
"""
# WCAG 2: the contrast of every text with what is behind it.
CONTRASTS = """
() => {
  const channels = color => color.match(/[0-9.]+/g).map(Number);
  const light = color => channels(color).slice(0, 3).map(one => one / 255)
    .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *:not(svg):not(svg *)')]
    .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .map(one => {
      const pair = [light(getComputedStyle(one).color), light(behind(one))].sort((a, b) => b - a);
      return {text: one.textContent.trim().slice(0, 40), ratio: (pair[0] + 0.05) / (pair[1] + 0.05)};
    });
}
"""
# Words of cells and headings that stand in two lines. What is longer than any name may; hidden heads are not seen.
BROKEN = """
most => {
  const found = [];
  for (const place of document.querySelectorAll('td, th, h3, .lanes div')) {
    if (getComputedStyle(place.closest('thead') || place).position === 'absolute') continue;
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (const word of node.data.matchAll(/\\S+/g)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
        if (lines.size > 1 && word[0].length <= most) found.push(word[0]);
      }
    }
  }
  return found;
}
"""
# What is wider than its place and cannot be seen without scrolling. A lane's name may end in dots.
CUT = """
() => [...document.querySelectorAll('body *')]
  .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible')
  .filter(one => !one.closest('.hidden, thead, .lanes'))
  .map(one => one.tagName + ' ' + one.textContent.trim().slice(0, 40))
"""
# Labels of pictures through which a line runs. The serial of a gateway stands on its mark, which hides the lines.
CROSSED = """
() => {
  const found = [];
  for (const picture of document.querySelectorAll('svg[role=img]')) {
    const lines = [...picture.querySelectorAll('line')].map(one => {
      const matrix = one.getScreenCTM();
      const at = (x, y) => new DOMPoint(x, y).matrixTransform(matrix);
      return [at(one.x1.baseVal.value, one.y1.baseVal.value), at(one.x2.baseVal.value, one.y2.baseVal.value)];
    });
    for (const text of picture.querySelectorAll('text:not([font-weight])')) {
      const box = text.getBoundingClientRect();
      const inside = point => point.x > box.left + 1 && point.x < box.right - 1
        && point.y > box.top + 2 && point.y < box.bottom - 2;
      const along = ([a, b]) => [...Array(401).keys()]
        .some(step => inside({x: a.x + (b.x - a.x) * step / 400, y: a.y + (b.y - a.y) * step / 400}));
      if (box.width && lines.some(along)) found.push(text.textContent);
    }
  }
  return found;
}
"""
# Captions that are broken into narrow columns, and cells that are lower than their label beside them.
SQUEEZED = """
() => {
  const found = [...document.querySelectorAll('caption:not(.hidden)')]
    .filter(one => one.clientHeight > 60 && one.clientWidth < one.closest('section').clientWidth * 0.8)
    .map(one => one.textContent.trim());
  for (const cell of document.querySelectorAll('td[data-label], th[data-label]')) {
    const label = getComputedStyle(cell, '::before');
    const high = label.content === 'none' ? 0 : parseFloat(label.height);
    if (label.position === 'absolute' || high > cell.getBoundingClientRect().height) found.push(cell.dataset.label);
  }
  return found;
}
"""
Data = dict[str, t.Any]


@dataclass
class View:
    """A page in a window, with what it asked for and complained about."""

    page: sync_api.Page
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, script: str) -> t.Any:
        return self.page.evaluate(script)

    @property
    def text(self) -> str:
        return self.page.locator("body").inner_text()

    def rows(self, section: str) -> list[list[str]]:
        """The cells of all tables of a section."""
        rows = self.page.locator(f"section[aria-labelledby={section}] tbody tr").all()
        return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows]

    # -- what must hold

    def assert_quiet(self) -> None:
        """Nothing but the file itself was asked for, nothing was complained about, nothing was run."""
        assert self.complaints == []
        assert self.requested == [self.page.url]
        assert self.page.url.startswith("file:///")
        assert self.ask("document.scripts.length") == 0
        assert self.ask("[...document.querySelectorAll('*')].filter(one => [...one.attributes]"
                        ".some(given => given.name.startsWith('on'))).length") == 0  # fmt: skip

    def assert_fits(self) -> None:
        """Nothing makes the page wider than its window, and no text lies upon another one."""
        assert self.ask("document.documentElement.scrollWidth") <= self.ask("innerWidth")
        assert overlapping(self.ask(BOXES)) == []

    def assert_whole(self) -> None:
        """No name is broken, nothing is cut off, no line runs through a label."""
        assert self.page.evaluate(BROKEN, 32) == []
        assert self.ask(CUT) == []
        assert self.ask(CROSSED) == []
        assert self.ask(SQUEEZED) == []

    def assert_legible(self) -> None:
        contrasts = self.ask(CONTRASTS)
        assert len(contrasts) > 20
        assert [one for one in contrasts if one["ratio"] < 4.5] == []

    def assert_accessible(self) -> None:
        """A language, a heading over all, a name for each picture, a head for each column."""
        assert self.ask("document.documentElement.lang") == "en"
        assert self.ask("document.querySelectorAll('h1').length") == 1
        pictures = "[...document.querySelectorAll('svg[role=img]')]"
        assert self.ask(f"{pictures}.every(one => one.querySelector('title') && one.querySelector('desc'))")
        assert self.ask("[...document.querySelectorAll('table')].every(one => one.caption"
                        " && [...one.tHead.rows[0].cells].every(cell => cell.scope === 'col'))")  # fmt: skip
        assert self.ask("[...document.querySelectorAll('a')].every(one => document.getElementById(one.hash.slice(1)))")

    def on_paper(self) -> None:
        """As it is printed, in what A4 leaves between its margins."""
        self.page.emulate_media(media="print")
        self.page.set_viewport_size({"width": 700, "height": 990})

    def printed(self) -> bytes:
        """As PDF on A4."""
        document = self.page.pdf(format="A4")
        assert document.startswith(b"%PDF-")
        assert re.search(rb"/Type\s*/Page\b", document)
        return document


def overlapping(boxes: list[Data]) -> list[tuple[str, str]]:
    """Pairs of texts that lie upon each other by more than a pixel."""
    return [
        (one["text"], other["text"])
        for number, one in enumerate(boxes)
        for other in boxes[number + 1 :]
        if min(one["right"], other["right"]) - max(one["left"], other["left"]) > 1
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 1
    ]


class Browser:
    def __init__(self, chromium: sync_api.Browser) -> None:
        self.chromium = chromium

    def open(self, path: Path, width: int) -> View:
        page = self.chromium.new_page(viewport={"width": width, "height": 900})
        view = View(page)
        page.on("request", lambda request: view.requested.append(request.url))
        page.on("console", lambda message: view.complaints.append(message.text))
        page.on("pageerror", lambda error: view.complaints.append(str(error)))
        page.goto(path.as_uri())
        return view


def started() -> Iterator[Browser]:
    """To be a fixture."""
    found = [path for name in NAMES if (path := shutil.which(name))]
    assert found, "There is no Chromium: run scripts/browser-package."
    with sync_api.sync_playwright() as playwright:
        # Root may not use its sandbox, and what is shown is our own file.
        chromium = playwright.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield Browser(chromium)
        chromium.close()
