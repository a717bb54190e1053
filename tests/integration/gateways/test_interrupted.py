# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C and SIGTERM while real gateways change their keys: the run ends at once and says truly what is open; no tunnel
is lost, and the command that it names finishes the rotation. Real processes, real signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from integration.gateways.conftest import Make
from integration.gateways.site import Site, meant, until
from integration.processes import interrupt, started

Signal = Callable[["subprocess.Popen[str]"], None]
pytestmark = pytest.mark.timeout(1800)

PATIENCE = 240.0
"""Seconds until something that must happen counts as not happening, also on a machine that has much else to do."""
DEFAULT: dict[str, str] = {}
PROGRESS = {"ANSIBLE_STDOUT_CALLBACK": "vpnops.keys.progress"}


def terminate(process: subprocess.Popen[str]) -> None:
    """What a service manager does."""
    process.terminate()


def interrupt_twice(process: subprocess.Popen[str]) -> None:
    """Two Ctrl-C, the second one while the run ends."""
    interrupt(process)
    time.sleep(0.1)
    if process.poll() is None:
        interrupt(process)


MOMENTS: dict[str, Callable[[Site, str], bool]] = {
    "gw2 accepts two keys": lambda site, old: new_key(site) in site.stored_in_runtime("gw2"),
    "gw1 uses the new key": lambda site, old: site.own("gw1") != old,
}
TOLD = {"gw2 accepts two keys": {"prepared", "staged"}, "gw1 uses the new key": {"staged"}}
"""The states of the rotation about that moment."""


def new_key(site: Site) -> str:
    """The next key of gw1 that the directory knows; empty without one."""
    return str(((site.rotation("gw1") or {}).get("new") or {}).get("public_key", ""))


def stopped(site: Site, moment: str, stop: Signal, env: dict[str, str]) -> tuple[int, str]:
    """A rotation of gw1 that gets a signal at that moment: its exit code, and what it printed, on one line."""
    old = site.own("gw1")
    more = ["-e", json.dumps({"gateway_keys_confirm_timeout": 15})]
    with started(site.node, "vpnops.keys.regenerate_gateway", *meant("gw1", "gw1"), *more, env=env) as process:
        until(lambda: MOMENTS[moment](site, old) or process.poll() is not None, PATIENCE, lambda: f"never: {moment}")
        assert process.poll() is None, process.stdout and process.stdout.read()
        stop(process)
        output, _none = process.communicate(timeout=PATIENCE)
    return process.returncode, " ".join(output.split())


def assert_true_and_finished(site: Site, old: str, said: str, states: set[str]) -> None:
    told = re.findall(r"Open rotation: gw1 \((\w+)\)\.", said)
    assert len(told) == 1, said
    assert {told[0], site.state("gw1")} <= states
    assert "vpnops.keys.regenerate_gateway with gateway=gw1 and confirm=gw1" in said
    site.assert_tunnels(within=30)
    until(lambda: site.own("gw1") == old, 60, lambda: "the old key never came back")
    new = new_key(site)
    finished = site.rotate("gw1")
    assert finished.code == 0, finished.output
    assert site.keys("gw1") == [new, old], "more than one new key was made"
    site.assert_whole()


@pytest.mark.parametrize(
    ("moment", "stop", "env"),
    [
        pytest.param("gw1 uses the new key", interrupt, DEFAULT, id="in the change"),
        pytest.param("gw1 uses the new key", interrupt_twice, DEFAULT, id="twice"),
        pytest.param("gw1 uses the new key", interrupt, PROGRESS, id="with bars"),
        pytest.param("gw2 accepts two keys", terminate, DEFAULT, id="before the change"),
        pytest.param("gw1 uses the new key", terminate, PROGRESS, id="terminated with bars"),
    ],
)
def test_a_rotation_is_interrupted(moment: str, stop: Signal, env: dict[str, str], make_site: Make) -> None:
    site = make_site(gateways=2)
    old = site.own("gw1")
    code, said = stopped(site, moment, stop, env)
    assert code not in (0, 2), said
    if env is PROGRESS:
        assert "Interrupted after" in said
    assert_true_and_finished(site, old, said, TOLD[moment])


def test_a_revocation_is_interrupted(make_site: Make) -> None:
    """gw2 has dropped the key, and nobody has recorded it yet. No rotation is open, and status says what is left."""
    site = make_site()
    old = site.own("gw1")
    with started(site.node, "vpnops.keys.revoke_gateway", *meant("gw1", "gw1")) as process:
        until(lambda: old not in site.stored("gw2"), PATIENCE, lambda: "gw2 never dropped it")
        os.kill(process.pid, signal.SIGINT)
        output, _none = process.communicate(timeout=PATIENCE)
    assert process.returncode not in (0, 2), output
    said = " ".join(output.split())
    assert "No rotation is open. vpnops.keys.gateway_status says whether anything is left to do." in said
    done = site.revoke("gw1")
    assert done.code == 0, done.output
    assert not [name for name in site.names if name != "gw1" and old in site.stored(name)]
