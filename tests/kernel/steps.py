# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of both platforms do to their machines."""

from __future__ import annotations

import signal
import typing as t
from collections.abc import Callable

from integration.control_node import Run
from integration.gateways.site import Site

from lab.kernel import Machines

PATIENCE = 90.0
"""Seconds until a tunnel that must come up counts as lost. WireGuard tries again every five."""

PATIENT: dict[str, t.Any] = {"confirm_timeout": 300, "settle_timeout": 60}
"""Limits of the role, for machines that are emulated beside other work: a step takes seconds that takes a tenth of one
elsewhere."""


def machines(site: Site) -> Machines:
    """The mesh of a site, which here has kernels."""
    assert isinstance(site.mesh, Machines)
    return site.mesh


def cut(where: str, run: Callable[..., Run], *names: str, **options: t.Any) -> None:
    """A run that is killed there."""
    env = {"KILL_AT": where, "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    killed = run(*names, env=env, **options)
    assert killed.code == -signal.SIGKILL, f"{where} was never reached:\n{killed.output}"


def restart_all(site: Site) -> None:
    """Everybody reboots, one after the other."""
    for name in site.names:
        machines(site).restart(name)


def finish(site: Site, *names: str, **options: t.Any) -> None:
    """The same rotation again, to its end."""
    done = site.rotate(*names, **{**PATIENT, **options})
    assert done.code == 0, done.output
    site.assert_whole()
