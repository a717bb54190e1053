# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress callback in real runs of ansible-playbook."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from integration.control_node import HERE, ControlNode
from integration.devices import LABEL, group_of
from integration.processes import started
from integration.progress.screen import watch

from lab import Fleet, KeySpec

SITE = str(HERE / "progress" / "site.yml")
VERDICTS = {
    "h1": "ok", "h2": "changed", "h3": "failed", "h4": "ok", "h5": "ok", "h6": "deferred", "h7": "unreachable",
}  # fmt: skip
COUNTED = "7 hosts: 1 failed, 1 unreachable, 1 deferred, 1 changed, 3 ok."
STEPS = {
    "Take some time": {"changed": 1, "ok": 6},
    "Keep a secret": {"ignored": 1, "skipped": 6},
    "Break": {"failed": 1, "skipped": 6},
    "Break for a moment": {"failed": 2, "skipped": 4},
    "Mend": {"ok": 2},
    "Tidy": {"ok": 6},
    "Reach who is away, or go on": {"deferred": 1, "skipped": 5},
    "Reach who is away": {"unreachable": 1, "skipped": 5},
    "Work on two": {"ok": 2},
    "Once": {"ok": 1},
}
BAR = "[━╸╺]"


@pytest.fixture
def node(tmp_path: Path) -> ControlNode:
    """A control node with hosts that are this machine."""
    hosts: dict[str, t.Any] = {f"h{number}": {} for number in range(1, 8)}
    shared = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    environment = {
        "ANSIBLE_STDOUT_CALLBACK": "vpnops.keys.progress",
        "VPNOPS_KEYS_PROGRESS_JSON": str(tmp_path / "run.json"),
        "VPNOPS_KEYS_PROGRESS_JUNIT": str(tmp_path / "run.xml"),
        "ANSIBLE_FORKS": "3",
        "TERM": "xterm",
    }
    return ControlNode(tmp_path, {"here": {"hosts": hosts, "vars": shared}}, environment, "here")


def told(node: ControlNode) -> t.Any:
    """What the callback wrote for programs."""
    return json.loads((node.path / "run.json").read_text())


def takes(name: str, seconds: str) -> dict[str, t.Any]:
    """A task that changes something after a while."""
    fact = {"waited": f"{{{{ lookup('ansible.builtin.pipe', 'sleep ' ~ {seconds}) }}}}"}
    return {"name": name, "ansible.builtin.set_fact": fact, "changed_when": True}


def play(node: ControlNode, tasks: list[dict[str, t.Any]], **more: t.Any) -> str:
    """The path of a playbook."""
    path = node.path / "own.yml"
    path.write_text(yaml.safe_dump([{"name": "Own", "hosts": "here", "gather_facts": False, "tasks": tasks, **more}]))
    return str(path)


def test_lines_in_a_log(node: ControlNode) -> None:
    run = node.run(SITE)
    assert run.code == 4, run.output
    assert "\x1b" not in run.output
    assert not re.search(BAR, run.output)
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in run.output.splitlines()]
    assert lines[0] == "Everything that can happen: 7 hosts"
    assert [line for line in lines if "Take some time" in line] == [
        line for line in lines if re.fullmatch(r"Take some time: 1 changed, 6 ok \(\d:\d\d\)", line)
    ]
    assert "h3: failed: it is broken. Mend it." in lines
    assert "Break: 1 failed, 6 skipped" in lines
    assert "h4: mended h4" in run.output
    assert "h1: said once" in lines
    assert any(line.startswith("h6: unreachable, the play continues: Failed to connect") for line in lines)
    assert "Skip everywhere" not in run.output
    assert "PLAY RECAP" not in run.output
    summary = [line for line in lines if line.startswith("Done in ")]
    assert len(summary) == 1
    assert summary[0].endswith(f". {COUNTED}")
    assert "the-secret-of" not in run.output + json.dumps(told(node))


def test_json_and_junit(node: ControlNode) -> None:
    node.run(SITE)
    data = told(node)
    assert data["hosts"] == VERDICTS
    assert {step["name"]: step["counts"] for step in data["steps"]} == STEPS
    outcomes = {(one["host"], one["outcome"]) for one in data["problems"]}
    assert outcomes == {
        ("h1", "ignored"), ("h3", "failed"), ("h4", "rescued"), ("h5", "rescued"), ("h7", "unreachable"),
    }  # fmt: skip
    assert list(data["deferred"]) == ["h6"]
    assert data["playbook"] == "site.yml"
    assert data["interrupted"] is False
    (suite,) = ElementTree.parse(node.path / "run.xml").getroot()
    kinds = {case.get("name"): [one.tag for one in case] for case in suite}
    assert kinds == {
        "h1": [], "h2": [], "h3": ["failure"], "h4": [], "h5": [], "h6": ["skipped"], "h7": ["error"],
    }  # fmt: skip
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["7", "1", "1", "1"]


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("color", [True, False])
def test_bars_on_a_terminal(node: ControlNode, width: int, color: bool) -> None:
    environment = node.env()
    environment.pop("ANSIBLE_NOCOLOR")
    seen = watch(node.command(SITE), node.path, environment | ({} if color else {"NO_COLOR": "1"}), width)
    assert seen.code == 4, seen.end
    assert seen.ever(r"Take some time\s[^\n]*(?:\n\s+)?[1-6]/7  "), seen.moments
    assert seen.ever(r"Work on two\s[^\n]*(?:\n\s+)?\d/2  "), "only two hosts include it"
    assert bool(re.search("\x1b\\[[0-9;]*m", seen.raw)) is color
    # What stays is what a log would have: no bar is left behind, and none ate a line of something else.
    assert not re.search(BAR, seen.end)
    flat = re.sub(r"\s+", " ", seen.end)
    assert "h3: failed: it is broken. Mend it." in flat
    for name, counts in STEPS.items():
        expected = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        assert f"{name}: {expected if name != 'Once' else 'ok'}" in flat
    assert COUNTED in flat
    assert flat.count("Done in") == 1
    assert told(node)["hosts"] == VERDICTS


def test_on_a_terminal_that_cannot_move_its_cursor(node: ControlNode) -> None:
    seen = watch(node.command(SITE), node.path, node.env({"TERM": "dumb"}), 80)
    assert "\x1b" not in seen.raw
    assert COUNTED in seen.end


def test_free(node: ControlNode) -> None:
    tasks = [
        takes("First", "(0.2 * (inventory_hostname[1:] | int))"),
        {"name": "Break", "ansible.builtin.fail": {"msg": "no"}, "when": "inventory_hostname == 'h2'"},
        takes("Last", "0"),
    ]
    run = node.run(play(node, tasks, strategy="free"))
    assert run.code == 2
    assert [(step["name"], step["counts"]) for step in sorted(told(node)["steps"], key=lambda one: one["begun"])] == [
        ("First", {"changed": 7}), ("Break", {"failed": 1, "skipped": 6}), ("Last", {"changed": 6}),
    ]  # fmt: skip
    assert told(node)["counts"] == {"failed": 1, "changed": 6}
    assert len(re.findall("First: 7 changed", run.output)) == 1


def test_serial_and_limit(node: ControlNode) -> None:
    path = play(node, [takes("Work", "0.5")], serial=3)
    seen = watch(node.command(path), node.path, node.env(), 80)
    for batch in ("hosts 1 to 3 of 7", "hosts 4 to 6 of 7", "host 7 of 7"):
        assert f"Own: {batch}" in seen.end
    assert seen.ever(r"All batches .*3/7 ")
    assert [step["counts"] for step in told(node)["steps"]] == [{"changed": 3}, {"changed": 3}, {"changed": 1}]
    limited = node.run(path, "--limit", "h1,h5")
    assert "Own: 2 hosts" in limited.output
    assert told(node)["hosts"] == {"h1": "changed", "h5": "changed"}


def test_questions_stay_visible(node: ControlNode) -> None:
    tasks: list[dict[str, t.Any]] = [
        takes("Work", "0.6"),
        {"name": "Ask", "ansible.builtin.pause": {"prompt": "Really?"}, "register": "answer"},
        {
            "name": "Repeat",
            "ansible.builtin.debug": {"msg": "{{ who }} said {{ answer.user_input }}"},
            "run_once": True,
        },
    ]
    path = play(node, tasks, vars_prompt=[{"name": "who", "prompt": "Who are you?", "private": False}])
    seen = watch(node.command(path), node.path, node.env(), 80, [(r"Who are you\?:$", "ann"), (r"Really\?:$", "yes")])
    assert seen.code == 0, seen.end
    assert "ann said yes" in seen.end
    assert seen.ever(rf"Work .*{BAR}")


def test_what_a_device_says_does_not_steer_the_terminal(node: ControlNode) -> None:
    said = {"ansible.builtin.debug": {"msg": "{{ 'one\ntwo \x1b[2J' ~ 'x' * 1000 }}"}, "run_once": True}
    done = node.run(play(node, [said]))
    assert "\x1b" not in done.output
    assert f"one\ntwo \\x1b[2J{'x' * 1000}\n" in done.output


def test_interrupted(node: ControlNode) -> None:
    tasks = [takes("Begin", "0"), takes("Work", "60")]
    process = subprocess.Popen(
        node.command(play(node, tasks)), cwd=node.path, env=node.env({"PYTHONUNBUFFERED": "1"}), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    try:
        while "Begin: 7 changed" not in (line := process.stdout.readline()):
            assert line, "it ended by itself"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
        assert process.wait(30) == 99
    finally:
        process.kill()
    assert re.search(r"Interrupted after \d:\d\d\. 7 hosts: 7 not finished\.", output), output
    assert told(node)["interrupted"] is True


def test_sigterm_ends_as_ctrl_c_does(node: ControlNode) -> None:
    """With a summary and the files: service managers send nothing else."""
    path = play(node, [takes("Begin", "0"), takes("Work", "60")])
    with started(node, path, env={"PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout
        while "Begin: 7 changed" not in (line := process.stdout.readline()):
            assert line, "it ended by itself"
        time.sleep(1)
        process.terminate()
        output = process.stdout.read()
        assert process.wait(30) == 99
    assert re.search(r"Interrupted after \d:\d\d\. 7 hosts: 7 not finished\.", output), output
    assert told(node)["interrupted"] is True


def test_log_lines_do_not_scroll_over_the_bar(node: ControlNode) -> None:
    """Another callback writes all the time."""
    environment = node.env({"CHATTER": "0.05", "ANSIBLE_CALLBACKS_ENABLED": "chatter"})
    seen = watch(node.command(play(node, [takes("Work", "1.5")])), node.path, environment, 80)
    assert seen.code == 0, seen.end
    talking = [moment for moment in seen.moments if "chatter" in moment and "Work: 7 changed" not in moment]
    with_bar = [moment for moment in talking if re.search(rf"Work .*{BAR}", moment.rpartition("\n")[2])]
    assert len(with_bar) > len(talking) / 2, seen.raw
    lines = [line for line in seen.end.splitlines() if "chatter" in line]
    assert [line for line in lines if not re.fullmatch(r"chatter \d+", line)] == []
    assert len(lines) >= 20


def test_one_task_tells_of_all_its_devices(
    start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode], tmp_path: Path
) -> None:
    fleet = start_fleet(*group_of(*((f"ks{number}", "xe17", (KeySpec(LABEL, 1),)) for number in range(1, 7))))
    node = control_node(fleet)
    for number, device in enumerate(fleet):
        device.set_fault(latency_ms=60 * number)
    environment = {
        "ANSIBLE_STDOUT_CALLBACK": "vpnops.keys.progress",
        "VPNOPS_KEYS_PROGRESS_JSON": str(tmp_path / "run.json"),
        "TERM": "xterm",
    }
    seen = watch(node.command("vpnops.keys.compare_key_servers"), node.path, node.env(environment), 80)
    assert seen.code == 0, seen.end
    assert seen.ever(r"Read all key servers to compare them .*[1-5]/6 "), seen.raw
    assert "Read all key servers to compare them: ok, 6 devices" in seen.end
    assert "(GETVPN" in seen.end or "in sync" in seen.end
    steps = {step["name"]: step["devices"] for step in told(node)["steps"]}
    assert steps["Read all key servers to compare them"] == {"total": 6, "done": 6, "failed": 0}
    assert told(node)["counts"] == {"ok": 6}


def test_what_is_done_to_devices_moves_the_bar_as_well(
    start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode], tmp_path: Path
) -> None:
    """Three key servers replace their key, which is staged and swapped; the fifth has none yet. Four of them save."""
    keys = (KeySpec(LABEL, 1), KeySpec(LABEL, 2), KeySpec(LABEL, 2), KeySpec(LABEL, 2), None)
    specs = group_of(*((f"ks{n}", "xe17", (key,) if key else ()) for n, key in enumerate(keys, 1)))
    fleet = start_fleet(*specs)
    node = control_node(fleet)
    for device in fleet:
        device.set_fault(latency_ms=30)
    environment = {
        "ANSIBLE_STDOUT_CALLBACK": "vpnops.keys.progress",
        "VPNOPS_KEYS_PROGRESS_JSON": str(tmp_path / "run.json"),
        "TERM": "xterm",
    }
    command = node.command("vpnops.keys.sync_key_servers", "-e", "key_server_sync_overwrite=always")
    seen = watch(command, node.path, node.env(environment), 80)
    assert seen.code == 0, seen.end
    assert seen.ever(r"Synchronize the keys: steps .*[1-9]/11 "), seen.raw
    (step,) = (one for one in told(node)["steps"] if one["steps"])
    assert step["devices"]["done"] == 5
    assert step["steps"] == {"total": 11, "done": 11}


def test_two_playbooks_in_one_run(node: ControlNode) -> None:
    """Each has its own end; the file is about the last one."""
    second = node.path / "second.yml"
    second.write_text(Path(play(node, [{"ansible.builtin.debug": {"msg": "two"}}])).read_text().replace("here", "h7"))
    run = node.run(play(node, [takes("One", "0")]), str(second))
    assert run.code == 0, run.output
    assert re.findall(r"^Done in \d:\d\d\. (.*)$", run.output, re.M) == ["7 hosts: 7 changed.", "1 host: 1 ok."]
    assert (told(node)["playbook"], told(node)["hosts"]) == ("second.yml", {"h7": "ok"})


def test_without_rich(node: ControlNode) -> None:
    (node.path / "rich.py").write_text("raise ImportError")
    environment = node.env()
    environment["PYTHONPATH"] = f"{node.path}:{environment['PYTHONPATH']}"
    run = node.run(play(node, [{"ansible.builtin.ping": None}]), env={"PYTHONPATH": environment["PYTHONPATH"]})
    assert run.code != 0
    assert "needs the Python library rich on the control node. Nothing was done" in run.output
