# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit of real gateways after a real rotation: what it measured, and what has drifted since."""

from __future__ import annotations

import json

import pytest
from integration.gateways.conftest import Make
from integration.report.browser import WIDTHS, Browser

pytestmark = pytest.mark.timeout(900)


def test_audit_after_a_rotation(make_site: Make, browser: Browser) -> None:
    site = make_site()
    done = site.rotate("gw1", why="yearly")
    assert done.code == 0, done.output
    key = site.own("gw2")
    site.mesh.run("gw1", f"wg set wg0 peer {key} remove")
    before = site.fingerprints("gw1", "gw2")

    paths = {"path": site.path / "report.html", "json_path": site.path / "report.json"}
    given = {f"key_report_{name}": str(path) for name, path in paths.items()}
    done = site.node.run("vpnops.keys.audit_keys", "-e", json.dumps(given))
    assert done.code == 0, done.output
    assert site.fingerprints("gw1", "gw2") == before
    report = json.loads(paths["json_path"].read_text())

    (rotation,) = report["rotations"]
    assert (rotation["gateway"], rotation["state"], rotation["why"]) == ("gw1", "retired", "yearly")
    assert 0 < rotation["interruption"]["seconds"] < 30
    assert (rotation["interruption"]["tunnels"], rotation["interruption"]["missing"]) == (2, 0)
    found = {(one["kind"], host): one["what"] for one in report["findings"] for host in one["hosts"]}
    assert set(found) == {
        ("drifted gateway", "gw1"),
        *(("unknown keys", name) for name in site.names),  # the fourth gateway of the mesh is not enrolled
    }
    assert found["drifted gateway", "gw1"] == "It stores no current key of gw2 in its running daemon."
    states = {(one["holder"], one["owner"]): one["state"] for one in report["mesh"]["cells"]}
    assert states == {("gw1", "gw2"): "drift"}

    for width in WIDTHS:
        view = browser.open(paths["path"], width)
        view.assert_quiet()
        view.assert_fits()
        assert view.rows("rotations")[0][7].startswith("at most ")
        assert any("✕" in cell for cell in view.rows("gateways")[0])
        view.page.close()
