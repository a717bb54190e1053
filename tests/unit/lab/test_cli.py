# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, the lab files, the control socket, and the table of guesses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import control, daemon, guesses, sample
from lab.__main__ import main
from lab.personality import PERSONALITIES
from lab.spec import load, parse
from lab.texts import TEXTS

LAB = Path(guesses.__file__).parent
FLEETS = sorted((LAB / "fleets").glob("*.yml"))


def _lab(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        capture_output=True,
        text=True,
        check=check,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(LAB.parent)},
    )


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "lab"
    yield place
    daemon.down(place)


def test_up_state_set_log_reload_down(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def lab(*words: str) -> str:
        assert main([*words, "--dir", str(directory)]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    assert _lab("up", str(LAB / "fleets" / "demo.yml"), "--dir", str(directory)).stdout.startswith("4 devices answer")
    hosts = yaml.safe_load((directory / "inventory.yml").read_text())["key_servers"]["hosts"]
    assert sorted(hosts) == ["ks1", "ks2", "ks3", "ks4"]
    for host in hosts.values():
        with socket.create_connection((host["ansible_host"], host["ansible_port"]), 5) as sock:
            assert sock.recv(8) == b"SSH-2.0-"
    state = lab("state")
    assert len(state.splitlines()) == 5
    assert "GETVPN-KEY" in state
    lab("set", "ks4", "latency_ms=5", "cut={at: 3, do: hang}")
    assert main(["set", "ks4", "nonsense=5", "--dir", str(directory)]) == 1
    lab("clear", "all")
    lab("reload", "ks1", "--seconds", "30")
    assert "ks1 (away)" in lab("state")
    assert lab("log", "ks1") == ""
    assert main(["up", str(LAB / "fleets" / "demo.yml"), "--dir", str(directory)]) == 1
    assert "a lab is up" in capsys.readouterr().err
    pids = daemon._pids(directory)
    assert lab("down") == "stopped 1 process\n"
    assert not any(daemon._is_ours(pid, started) for pid, started in pids)
    assert main(["state", "--dir", str(directory)]) == 1
    assert "no lab is up" in capsys.readouterr().err
    assert lab("down") == "nothing was running\n"


def test_down_leaves_other_processes_alone(directory: Path) -> None:
    directory.mkdir()
    (directory / "pids").write_text(f"{os.getpid()} 1\n", encoding="ascii")
    assert daemon.down(directory) == 0


def test_several_processes(directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "many.yml"
    file.write_text(yaml.safe_dump(sample.sample(12, groups=4)), encoding="utf-8")
    assert daemon.up(file, directory, processes=3) == 12
    assert len((directory / "pids").read_text().splitlines()) == 3
    path = control.socket_path(directory, 0)
    assert len(control.request(path, do="state")) == 12
    for name in ("ks001", "ks006", "ks012"):
        control.request(path, do="set", name=name, values={"latency_ms": 1})
        assert control.request(path, do="ping", name=name) == [name]
    with pytest.raises(ValueError, match="no device"):
        control.request(path, do="ping", name="nobody")
    with pytest.raises(ValueError, match="cannot do"):
        control.request(path, do="dance")


def test_serve_in_the_foreground(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "serve", str(LAB / "fleets" / "equal.yml"), "--dir", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(LAB.parent)},
    )
    try:
        end = time.monotonic() + 20
        while not (tmp_path / "ports-0.json").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert sorted(json.loads((tmp_path / "ports-0.json").read_text())) == ["ks1", "ks2", "ks3"]
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_bad_lab_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yml"
    file.write_text("devices: [{name: a, personality: ios9}]", encoding="ascii")
    assert main(["up", str(file), "--dir", str(tmp_path / "lab")]) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "ios9" in told


@pytest.mark.parametrize("file", FLEETS, ids=lambda path: path.stem)
def test_shipped_labs_load(file: Path) -> None:
    lab = load(file)
    assert all(device.groups for device in lab.devices)


def test_a_lab_for_each_row_of_the_plan() -> None:
    rows = {
        "demo",
        "equal",
        "absent",
        "missing",
        "not_exportable",
        "conflict",
        "unreachable",
        "weak",
        "shared_label",
        "many_groups",
    }
    assert rows <= {path.stem for path in FLEETS}


@pytest.mark.parametrize(("count", "groups"), [(1, 1), (8, 1), (64, 8), (512, 3)])
@pytest.mark.parametrize("state", ["equal", "absent", "missing", "conflict"])
def test_samples(count: int, groups: int, state: str) -> None:
    lab = parse(sample.sample(count, groups, 50, "xe17", state))
    assert len(lab.devices) == count
    assert len({g.identity for d in lab.devices for g in d.groups}) == min(groups, count)
    assert all(len(g.peers) <= sample.MOST_PEERS for d in lab.devices for g in d.groups)
    assert all(d.faults["latency_ms"] == 50 for d in lab.devices)


def test_sample_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "s.yml"
    assert main(["sample", "3", "--output", str(file)]) == 0
    assert len(load(file).devices) == 3


def test_shards_keep_groups_together() -> None:
    lab = parse(sample.sample(20, groups=5))
    parts = daemon.shards(lab.devices, 2)
    assert sorted(name for part in parts for name in part) == sorted(d.name for d in lab.devices)
    for part in parts:
        identities = {d.groups[0].identity for d in lab.devices if d.name in part}
        others = {d.groups[0].identity for d in lab.devices if d.name not in part}
        assert not identities & others


# -- the one table of guesses


def test_every_switch_is_explained() -> None:
    assert not guesses.undocumented()
    assert set(guesses.SWITCHES) <= set(PERSONALITIES["ios15"].__dataclass_fields__)


def test_each_guess_says_where_it_is_from_and_what_would_go_wrong() -> None:
    assert guesses.WRONG.keys() == guesses.SWITCHES.keys()
    assert all(guesses.WRONG.values())
    assert {sure for sure, dummy in guesses.SWITCHES.values()} <= guesses.SOURCES.keys()


def test_provenance_words() -> None:
    words = {"seen", "documented", "code", "recalled", "guess"}
    assert {sure for sure, dummy in TEXTS.values()} <= words
    assert {sure for sure, dummy in guesses.SWITCHES.values()} <= words | {"simplified"}


def test_a_switch_whose_text_was_seen_is_no_guess() -> None:
    """Where a switch and the text of what it decides have one name, they cannot disagree on how sure they are."""
    both = guesses.SWITCHES.keys() & TEXTS.keys()
    assert both
    assert [name for name in both if TEXTS[name][0] == "seen" and guesses.SWITCHES[name][0] != "seen"] == []


def test_the_readme_carries_the_table() -> None:
    assert guesses.table() in (LAB / "README.md").read_text(encoding="utf-8")


def test_the_lab_imports_nothing_from_plugins() -> None:
    for file in LAB.glob("*.py"):
        text: Any = file.read_text(encoding="utf-8")
        assert "ansible_collections" not in text
        assert "import plugins" not in text
