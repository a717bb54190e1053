# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible itself does with a gateway around a task is under the rules of its answers, too."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.vpnops.keys.plugins.action import gateway_key
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils.gateways import action as gateway_action
from ansible_collections.vpnops.keys.plugins.plugin_utils.gateways.action import GatewayAction

EVIL = "\x1b[2J\x1b]0;owned\x07 all is well"
PATH = "/home/admin/.ansible/tmp/ansible-tmp-1-2-3/"


def action(answer: Callable[[], dict[str, t.Any]]) -> GatewayAction:
    """That of a task that is over, on a gateway that answers like that from now on."""
    made = object.__new__(GatewayAction)
    made.host = "gw3"
    made._cleanup_remote_tmp = True
    made._task = SimpleNamespace(async_val=0)
    shell = SimpleNamespace(tmpdir=PATH, remove=lambda path, recurse: f"rm -f -r {path}")
    made._connection = SimpleNamespace(_shell=shell)
    made._low_level_execute_command = lambda command, sudoable: answer()
    return made


def raising(error: BaseException) -> Callable[[], dict[str, t.Any]]:
    def answer() -> dict[str, t.Any]:
        raise error

    return answer


def sleeping() -> dict[str, t.Any]:
    time.sleep(30)
    return {"rc": 0}


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, msg, *dummy, **more: found.append(msg))
    return found


@pytest.mark.timeout(120, method="thread")  # the other method uses the timer that the limit needs
@pytest.mark.parametrize(
    "answer",
    [
        lambda: {"rc": 1, "stdout": EVIL, "stderr": EVIL},
        raising(AnsibleConnectionFailure(EVIL)),
        raising(AnsibleError(EVIL)),
        raising(ValueError("embedded null byte")),
        raising(MemoryError()),
        sleeping,
    ],
)
def test_the_removal_of_temporary_files_is_no_way_round_the_rules(
    answer: Callable[[], dict[str, t.Any]], warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a gateway does then: no exception takes the place of the result, no byte of it gets on the terminal, and
    it takes no longer than it may."""
    monkeypatch.setattr(gateway_action, "TIDY_SECONDS", 0.2, raising=False)
    began = time.monotonic()
    action(answer).cleanup()
    assert time.monotonic() - began < 10
    assert warnings == ["gw3: the temporary files of Ansible may still be there."]


def test_temporary_files_are_removed(warnings: list[str]) -> None:
    one = action(lambda: {"rc": 0})
    one.cleanup()
    assert one._connection._shell.tmpdir is None
    assert warnings == []


def test_who_was_silent_is_asked_nothing_more(warnings: list[str]) -> None:
    asked: list[int] = []
    one = action(lambda: {"rc": asked.append(1) or 0})  # type: ignore[func-returns-value]
    one.silent = True
    one.cleanup()
    assert (asked, warnings) == ([], [])


def test_no_change_begins_when_the_time_of_all_is_up() -> None:
    """The gateway is not even asked, and the module knows nothing of it."""
    made = object.__new__(gateway_key.ActionModule)
    made.host = "gw7"
    options = {"state": "active", "confirm_timeout": 60}
    for moment in (None, time.time() + 60):
        assert made.sent({**options, "begin_before": moment}) == options
    with pytest.raises(VpnKeysError, match=r"gw7: its change was not started.*; run it again\.") as caught:
        made.sent({**options, "begin_before": time.time() - 1})
    assert caught.value.code == "timeout"


def test_what_ansible_says_of_a_gateway_is_quoted() -> None:
    """It may hold what that gateway printed, such as the banner of its sshd."""
    said = gateway_action._of_ansible(AnsibleConnectionFailure(f'no". gw2: {EVIL}'))
    assert said == r'Ansible says "no\". gw2: \x1b[2J\x1b]0;owned\x07 all is well"'


@pytest.mark.parametrize(
    ("value", "number"),
    [(None, 7.0), ("x", 7.0), ([], 7.0), (3, 3.0), ("3.5", 3.5), (0, 1.0), (-1, 1.0), ("inf", 7.0), (1e999, 7.0)],
)
def test_a_number_of_a_task_can_be_counted_with(value: t.Any, number: float) -> None:
    assert gateway_action._number(value, 7.0) == number
    int(gateway_action._number(float("nan"), 7.0))
