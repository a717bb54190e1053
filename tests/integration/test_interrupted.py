# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C and SIGTERM while keys are replaced: the first one finishes the devices in hand, begins no other, compares
once more and reports; the second one says what is half done. Real processes, real signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from integration.control_node import ControlNode
from integration.devices import group_of
from integration.processes import SYNC, interrupt, started, wait_for_cut
from integration.rounds import at_each_line

from lab import DeviceSpec, Fleet, KeySpec
from lab.device import Device, LogEntry

PRIMARIES = {"EAST": "ks1", "WEST": "ks5"}
LABELS = tuple(PRIMARIES)
PATIENCE = 240.0
"""Seconds until something that must happen counts as not happening, also on a machine that has much else to do."""
PROGRESS = {"ANSIBLE_STDOUT_CALLBACK": "vpnops.keys.progress"}
ALWAYS = ("-e", "key_server_sync_overwrite=always")
Signal = Callable[["subprocess.Popen[str]"], None]
pytestmark = pytest.mark.timeout(900)


def two_groups_of_four() -> list[DeviceSpec]:
    """In each, three key servers hold another key than their primary: they are staged at once, and swapped in turn."""
    found = []
    for place, label in enumerate(LABELS):
        names = [f"ks{number}" for number in range(1 + 4 * place, 5 + 4 * place)]
        keys = [KeySpec(label, 8 * place + number) for number in range(4)]
        rows = [(name, "xe17", (key,)) for name, key in zip(names, keys, strict=True)]
        found += group_of(*rows, name=f"GETVPN-{label}", identity=place + 1, label=label)
    return found


@dataclass
class Sync:
    """A sync of the eight key servers, slow enough to be met anywhere."""

    fleet: Fleet
    node: ControlNode

    @property
    def path(self) -> str:
        return str(self.node.path / "run.json")

    def __post_init__(self) -> None:
        self.node.environment |= {"VPNOPS_KEYS_PROGRESS_JSON": self.path, "PYTHONUNBUFFERED": "1"}
        for device in self.fleet:
            device.set_fault(latency_ms=40)

    @contextmanager
    def stopped(self, line: str, stop: Signal, *command: str) -> Iterator[subprocess.Popen[str]]:
        """A run that gets a signal when the first key server has got a line like that, before it acts on it."""
        running: list[subprocess.Popen[str]] = []

        def check(entry: LogEntry) -> None:
            if running and re.search(line, entry.text):
                stop(running.pop())

        for device in self.fleet:
            at_each_line(device, check)
        with started(self.node, *(command or (SYNC, *ALWAYS)), env=PROGRESS) as process:
            running.append(process)
            yield process

    @property
    def told(self) -> t.Any:
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)

    @property
    def replaced(self) -> set[str]:
        """The key servers that hold the key of their primary; that one not."""
        right = {label: self.fleet[host].keys[label].fingerprint for label, host in PRIMARIES.items()}
        holders = {
            device.name
            for device in self.fleet
            for label in LABELS
            if label in device.keys and device.keys[label].fingerprint == right[label]
        }
        return holders - set(PRIMARIES.values())

    @property
    def empty(self) -> list[str]:
        return [device.name for device in self.fleet if not set(LABELS) & set(device.keys)]

    def assert_reported(self, path: str) -> None:
        """The report is of a look after the last change, and says of each key server what it holds."""
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        assert (report["interrupted"], report["in_sync"]) == (True, False)
        rows = {row["host"]: row for unit in report["units"] for row in unit["key_servers"]}
        held = {device.name: next(device.keys[label].fingerprint for label in LABELS if label in device.keys)
                for device in self.fleet}  # fmt: skip
        assert {host: row["fingerprint"] for host, row in rows.items()} == held
        assert {host for host, row in rows.items() if "replaced" in row["done"]} == self.replaced

    def quiet(self) -> None:
        """Until no key server has got a line for a while."""
        lines, since = -1, time.monotonic()
        while time.monotonic() - since < 2:
            if (now := sum(len(device.log) for device in self.fleet)) != lines:
                lines, since = now, time.monotonic()
            time.sleep(0.05)

    def completes(self) -> None:
        """The next run does the rest, and then nothing is left."""
        for device in self.fleet:
            device.clear_faults()
        done = self.node.run(SYNC, *ALWAYS)
        assert done.code == 0, done.output
        assert len(self.replaced) == 6
        assert all(set(device.keys) <= set(LABELS) for device in self.fleet)


@pytest.fixture
def sync(start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]) -> Sync:
    fleet = start_fleet(*two_groups_of_four())
    return Sync(fleet, control_node(fleet))


def terminate(process: subprocess.Popen[str]) -> None:
    """What a service manager does."""
    process.terminate()


def terminate_all(process: subprocess.Popen[str]) -> None:
    """What ends a container."""
    os.killpg(process.pid, signal.SIGTERM)


def kill_main(process: subprocess.Popen[str]) -> None:
    """What AWX does when a job is canceled."""
    os.killpg(process.pid, signal.SIGKILL)


MOMENTS = {
    "staging": r"key import rsa \w+\.vpnops-new",
    "emptying": r"zeroize rsa \w+$",
    "in_the_window": r"key import rsa \w+ ",
}


@pytest.mark.parametrize(
    ("moment", "stop"),
    [
        ("staging", interrupt),
        ("emptying", terminate),
        ("in_the_window", interrupt),
        pytest.param("in_the_window", terminate_all, marks=pytest.mark.thorough),
        pytest.param("emptying", interrupt, marks=pytest.mark.thorough),
        pytest.param("staging", terminate_all, marks=pytest.mark.thorough),
    ],
)
def test_the_first_signal_finishes_what_is_in_hand(sync: Sync, moment: str, stop: Signal) -> None:
    path = str(sync.node.path / "report.json")
    command = (SYNC, *ALWAYS, "-e", f"key_server_sync_report_path={path}")
    with sync.stopped(MOMENTS[moment], stop, *command) as process:
        output, _none = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, output
    assert not sync.empty
    sync.assert_reported(path)
    assert len(sync.replaced) <= 2, "at most the one in hand in each group"
    flat = " ".join(output.split())
    assert "no other key server is started" in flat
    for label in LABELS:
        assert f"{label} (GETVPN-{label}): interrupted key server" in flat, "the table of each group"
        assert f"{label} (GETVPN-{label}): interrupted. " in flat, output
    again = "Run the same command again: it reads the devices again and continues with what is left."
    assert flat.count(again) == 1, output
    if sync.replaced:
        assert f"Done: {min(sync.replaced)}" in flat
    told = sync.told
    assert told["interrupted"] is True
    assert {host for host, verdict in told["hosts"].items() if verdict == "changed"} == sync.replaced
    assert set(told["counts"]) <= {"changed", "not finished", "ok"}
    assert told["counts"]["not finished"] == 6 - len(sync.replaced)
    assert re.search(r"Interrupted after \d:\d\d\. 8 hosts: ", flat)
    sync.completes()


def test_the_second_signal_says_what_is_half_done(sync: Sync) -> None:
    hanging = [sync.fleet[host] for host in ("ks4", "ks8")]
    for device in hanging:
        device.set_fault(cut={"at": r"key import rsa \w+ ", "unit": "line", "do": "hang"})
    with started(sync.node, SYNC, *ALWAYS, env=PROGRESS) as process:
        for device in hanging:
            wait_for_cut(device, process)
        interrupt(process)
        time.sleep(0.2)
        interrupt(process)  # of the same keystroke, passed on by what wraps Ansible
        time.sleep(3)
        assert process.poll() is None, "the first one waits"
        before = time.monotonic()
        interrupt(process)
        output, _none = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - before < 20, "no key server answers any more"
    assert process.returncode == 99, output
    flat = " ".join(output.split())
    assert sync.empty == ["ks4", "ks8"], "this is what ending at once costs"
    for host in sync.empty:
        label = "EAST" if host < "ks5" else "WEST"
        half = f"{host} (its key was being replaced: {label} may be empty, and the new key is ready under {label}.vpn"
        assert half in flat, output
    assert sync.told["interrupted"] is True
    assert all(sync.told["hosts"][host] == "not finished" for host in sync.empty)
    sync.quiet()
    sync.completes()


def test_a_worker_that_is_left_alone_finishes_what_is_in_hand(sync: Sync) -> None:
    with sync.stopped(MOMENTS["in_the_window"], kill_main) as process:
        process.wait(PATIENCE)
        sync.quiet()
        assert not sync.empty
        assert 0 < len(sync.replaced) <= 2
    sync.completes()


def test_before_the_first_change_it_ends_at_once(sync: Sync) -> None:
    with sync.stopped("show crypto", interrupt) as process:
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 99
    assert not sync.replaced


def test_a_single_device_is_finished_too(sync: Sync) -> None:
    """The same for a task of one device: the key is replaced, and no other task is begun."""
    device: Device = sync.fleet["ks2"]
    importing = [
        {
            "name": "Import",
            "vpnops.keys.ios_rsa_key_import": {"label": "EAST", "from_host": "ks1", "overwrite": True},
            "when": "inventory_hostname == 'ks2'",
            "vars": {"ansible_connection": "local"},
        },
        {"name": "Next", "ansible.builtin.debug": {"msg": "the next task"}},
    ]
    sync.node.command(importing)
    with sync.stopped(MOMENTS["in_the_window"], interrupt, str(sync.node.path / "play.yml")) as process:
        output, _none = process.communicate(timeout=PATIENCE)
    assert process.returncode == 99, output
    assert device.keys["EAST"].fingerprint == sync.fleet["ks1"].keys["EAST"].fingerprint
    assert list(device.keys) == ["EAST"]
    assert "ks2: its work is finished." in output
    assert "the next task" not in output
