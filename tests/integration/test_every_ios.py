# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key's whole life on every release, and on every way in which a device may behave where nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from integration.control_node import ControlNode
from integration.devices import LABEL, NAMES, PASSPHRASE, after_reload, encrypted_pem, held, key, spec, variants

from lab import Fleet, KeySpec

BAD_MOMENTS: dict[str, dict[str, Any]] = {
    "pieces": {"chunk_bytes": 5, "chunk_delay_ms": 0},
    "syslog-in-output": {"syslog": {"where": "during_output"}},
    "syslog-after-prompt": {"syslog": {"where": "after_prompt", "every": 5}},
    "syslog-in-question": {"syslog": {"where": "in_question"}},
    # A user who may not set up a terminal: output is paged, and long lines that are typed scroll.
    "no-setup": {"says": {"terminal (?:length|width|no monitor).*": "% Authorization failed.\n"}},
}
NO_FAULT: dict[str, dict[str, Any]] = {"none": {}}
LIFE: list[dict[str, Any]] = [
    {"name": "make", "vpnops.keys.ios_rsa_key": {"label": "OWN", "exportable": True}},
    {"name": "make again", "vpnops.keys.ios_rsa_key": {"label": "OWN", "exportable": True}},
    {
        "name": "export",
        "vpnops.keys.ios_rsa_key_export": {
            "label": "OWN",
            "path": "{{ inventory_hostname }}.pem",
            "passphrase": PASSPHRASE,
        },
    },
    {
        "name": "import",
        "vpnops.keys.ios_rsa_key_import": {
            "label": LABEL,
            "path": "{{ inventory_hostname }}.pem",
            "passphrase": PASSPHRASE,
            "exportable": True,
        },
    },
    {
        "name": "replace",
        "vpnops.keys.ios_rsa_key_import": {
            "label": LABEL,
            "content": encrypted_pem(key(5)),
            "passphrase": PASSPHRASE,
            "overwrite": True,
        },
    },
    {
        "name": "make another",
        "vpnops.keys.ios_rsa_key": {"label": "OWN", "exportable": True, "regenerate": "always"},
    },
    {"name": "remove", "vpnops.keys.ios_rsa_key": {"label": "OWN", "state": "absent"}},
    {"name": "look", "vpnops.keys.ios_rsa_key_info": {}},
]
CHANGES = ("make", "export", "import", "replace", "make another", "remove")
SHORT_LIFE = [one for one in LIFE if one["name"] in ("make", "make another", "remove")]


def test_every_task_at_bad_moments(
    start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]
) -> None:
    fleet = start_fleet(
        *(
            spec(f"{release}-{name}", release, KeySpec("OTHER", 5), faults=faults, login_privilege=1)
            for release in NAMES
            for name, faults in (NO_FAULT | BAD_MOMENTS).items()
        )
    )
    run = control_node(fleet).run(LIFE)
    assert run.code == 0, run.output
    for device in fleet:
        own = run.result("make", device.name)["key"]["fingerprint"]
        for task in (one["name"] for one in LIFE):
            assert run.changed(task, device.name) is (task in CHANGES), f"{task} on {device.name}"
        assert run.result("make again", device.name)["key"]["fingerprint"] == own
        assert run.result("export", device.name)["fingerprint"] == own
        assert run.result("import", device.name)["fingerprint"] == own
        assert run.result("make another", device.name)["key"]["fingerprint"] != own
        replaced = (key(5).fingerprint, False, True)
        assert held(device) == {"OTHER": (key(5).fingerprint, True, True), LABEL: replaced}
        assert after_reload(device) == {"OTHER": key(5).fingerprint, LABEL: key(5).fingerprint}
        assert [one["fingerprint"] for one in run.result("look", device.name)["rsa_keys"]] == [key(5).fingerprint] * 2
        assert device.sessions == len(LIFE)


@pytest.mark.parametrize("release", NAMES)
def test_keys_are_made_and_removed_on_every_device(
    release: str, start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]
) -> None:
    """Carrying keys is not here, but in the sync below, which needs one process for all devices."""
    ways = {name: switch for name, switch in variants(release).items() if not name.startswith(("import", "export"))}
    other = KeySpec("OTHER", 7)
    fleet = start_fleet(*(spec(name, release, other, overrides=switch) for name, switch in ways.items()))
    run = control_node(fleet).run(SHORT_LIFE)
    assert run.code == 0, run.output
    for device in fleet:
        made = [run.result(task, device.name)["key"] for task in ("make", "make another")]
        assert made[0]["fingerprint"] != made[1]["fingerprint"]
        assert {one["saved"] for one in made} == {True}
        assert held(device) == {"OTHER": (key(7).fingerprint, True, True)}
        assert after_reload(device) == {"OTHER": key(7).fingerprint}


@pytest.mark.parametrize("release", NAMES)
def test_a_sync_reaches_every_device(
    release: str, start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]
) -> None:
    """Per way to behave one group: a source, one without the key, one with another key."""
    ways: dict[str, dict[str, Any]] = {release: {}}
    ways |= {name: {"overrides": switch} for name, switch in variants(release).items()}
    ways |= {name: {"faults": faults} for name, faults in BAD_MOMENTS.items()}
    groups, specs = [], []
    for name, how in ways.items():
        hosts = [f"{name}.{number}" for number in range(3)]
        groups.append({"name": name, "label": LABEL, "hosts": hosts})
        specs += [
            spec(host, release, *keys, **how)
            for host, keys in zip(hosts, ([KeySpec(LABEL, 1)], [], [KeySpec(LABEL, 2)]), strict=True)
        ]
    fleet = start_fleet(*specs)
    options = {"hosts": "{{ groups.key_servers }}", "groups": groups, "overwrite": True}
    run = control_node(fleet).run([{"vpnops.keys.ios_rsa_key_sync": options, "run_once": True}])
    assert run.code == 0, run.output
    wanted = {LABEL: (key(1).fingerprint, True, True)}
    for device in fleet:
        assert held(device) == wanted, device.name
        assert after_reload(device) == {LABEL: key(1).fingerprint}, device.name
    assert {unit["error"] for unit in run.result("ios_rsa_key_sync")["units"]} == {None}
