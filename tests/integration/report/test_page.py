# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page in a browser, for fleets of every size: it fits, it is legible, and nothing in it is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.report.browser import WIDTHS, Browser
from unit.plugin_utils.key_report import samples

from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, page

EVIL = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\">"


def write(path: Path, inputs: build.Inputs) -> Path:
    fleet = build.fleet_of(inputs)
    path.write_text(page.render(build.build(inputs, fleet), fleet), encoding="ascii")
    return path


@pytest.mark.parametrize("width", [WIDTHS[0], WIDTHS[-1]])
@pytest.mark.parametrize("gateways", [0, 8, 16, 60])
def test_every_size(browser: Browser, tmp_path: Path, gateways: int, width: int) -> None:
    view = browser.open(write(tmp_path / "report.html", samples.troubled(gateways)), width)
    view.assert_quiet()
    view.assert_fits()
    view.assert_legible()
    view.assert_accessible()
    assert view.ask("document.querySelectorAll('#findings ~ table tbody tr').length") >= 6
    pictures = view.page.locator("figure.picture svg[role=img]").count()
    assert pictures == (2 if gateways else 0)  # the mesh, and the rotations
    view.page.close()


def test_the_largest_picture(browser: Browser, tmp_path: Path) -> None:
    view = browser.open(write(tmp_path / "report.html", samples.troubled(400)), WIDTHS[0])
    view.assert_quiet()
    view.assert_fits()
    assert view.ask("document.querySelectorAll('section[aria-labelledby=gateways] tbody tr').length") > 400
    view.page.close()


@pytest.mark.parametrize("width", [400, 1200, None])
@pytest.mark.parametrize("inputs", [samples.troubled(8), samples.large()], ids=["small", "large"])
def test_names_are_whole(browser: Browser, tmp_path: Path, inputs: build.Inputs, width: int | None) -> None:
    """On a telephone, a screen and paper (None): no name in two lines, nothing cut off, no line through a label."""
    view = browser.open(write(tmp_path / "report.html", inputs), width or 1200)
    if width is None:
        view.on_paper()
    view.assert_fits()
    view.assert_whole()
    view.page.close()


def test_many_good_rows_fold_and_open(browser: Browser, tmp_path: Path) -> None:
    """60 key servers that are as they should be are six lines; a click or a printer shows them."""
    view = browser.open(write(tmp_path / "report.html", samples.large()), 1200)
    rows = view.page.locator("section[aria-labelledby=key-servers] tbody tr")
    visible = "[...document.querySelectorAll('section[aria-labelledby=key-servers] tbody tr')]"
    visible += ".filter(one => one.checkVisibility()).length"
    assert rows.count() == 60
    assert view.ask(visible) == 0
    view.page.locator("section[aria-labelledby=key-servers] summary").first.click()
    assert view.ask(visible) == 10
    view.on_paper()
    assert view.ask(visible) == 60
    view.page.close()


def test_whatever_is_written_stays_text(browser: Browser, tmp_path: Path) -> None:
    """Names, reasons, what devices say: each of them is a script here."""
    view = browser.open(write(tmp_path / "report.html", samples.hostile(EVIL)), WIDTHS[-1])
    view.assert_quiet()
    view.assert_fits()
    assert view.page.title() != "taken over"
    assert view.page.locator("img, script, iframe, object, embed").count() == 0
    often = {"findings": 3, "key-servers": 3, "gateways": 3, "keys": 2, "rotations": 2, "trail": 4}
    for section, times in often.items():
        assert view.page.locator(f"section[aria-labelledby={section}]").inner_text().count(EVIL) >= times, section
    view.page.close()


def test_printed(browser: Browser, tmp_path: Path) -> None:
    """On paper all is there that can only be scrolled to on a screen."""
    view = browser.open(write(tmp_path / "report.html", samples.troubled(16)), WIDTHS[-1])
    view.on_paper()
    view.assert_fits()
    view.assert_whole()
    assert not view.page.locator("nav").is_visible()
    assert len(view.printed()) > 20_000
    view.page.close()
