# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways remember which state of the directory they were given keys of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from integration.gateways.site import Site

pytestmark = pytest.mark.timeout(1800)


def forget(site: Site) -> None:
    """As a control node that has never seen this directory."""
    Path(f"{site.database}.key.witness").unlink()


def test_an_old_copy_of_the_directory_distributes_nothing(site: Site) -> None:
    old = site.path / "old.db"
    shutil.copy(site.database, old)
    done = site.revoke("gw3")
    assert done.code == 0, done.output
    newest = site.path / "newest.db"
    shutil.copy(site.database, newest)

    shutil.copy(old, site.database)
    forget(site)
    red = site.play("gateway_status")
    assert "(seen by gw1, gw2, gw3)" in red.error("gateway_report")[1], red.output
    assert site.rotate("gw1").code != 0
    assert not site.accepted("gw2", "gw3"), "the lost gateway is not accepted again"
    stored = site.converge_all()
    assert stored.code != 0
    assert "It has the keys of checkpoint" in stored.output
    assert not site.accepted("gw2", "gw3")

    shutil.copy(newest, site.database)
    done = site.converge_all()
    assert done.code == 0, done.output
    assert site.play("gateway_status").code == 0


def test_an_empty_directory_does_not_begin_anew_unless_somebody_says_so(site: Site) -> None:
    assert site.converge_all().code == 0, "from then on they have its checkpoint"
    for path in site.path.glob("directory.db*"):
        path.unlink()
    refused = site.play("enroll_gateways")
    assert refused.code != 0
    assert "would number all keys from 1 again" in refused.output, refused.output
    done = site.play("enroll_gateways", ignored_witnesses="all")
    assert done.code == 0, done.output
    status = site.play("gateway_status", fail_on="drift")
    assert status.code == 0, status.output
