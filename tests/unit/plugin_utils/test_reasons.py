# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a host is not reached, out of what Ansible and ssh say of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.plugin_utils import reasons

SSH = "Failed to connect to the host via ssh: "
NETWORK, KEY = reasons.NETWORK, "Check ansible_user and its SSH key or password."
SAID = {
    f"{SSH}ssh: Could not resolve hostname gw4.example: Name or service not known": (
        "Could not resolve hostname gw4.example: Name or service not known", "Check ansible_host."
    ),
    f"{SSH}ssh: connect to host 198.51.100.4 port 22: Connection refused": ("Connection refused", NETWORK),
    f"{SSH}ssh: connect to host 198.51.100.4 port 22: Connection timed out\r\n": ("Connection timed out", NETWORK),
    f"{SSH}ssh: connect to host 198.51.100.4 port 22: No route to host": ("No route to host", NETWORK),
    f"{SSH}kex_exchange_identification: Connection closed by remote host\r\nConnection closed by X port 655": (
        "Connection closed", NETWORK
    ),
    f"{SSH}Welcome!\nAll is well.\nops@198.51.100.4: Permission denied (publickey,password).": (
        "Permission denied (publickey,password)", KEY
    ),
    f"{SSH}@@@@@\nHost key verification failed.": (
        "Host key verification failed", "Compare its host key with the one in known_hosts."
    ),
    'Data could not be sent to remote host "gw4". Make sure this host can be reached over ssh: ssh: connect to host '
    "gw4 port 22: Connection refused": ("Connection refused", NETWORK),
    f"{SSH}something new": ("something new", NETWORK),
    "": ("", NETWORK),
}  # fmt: skip


@pytest.mark.parametrize("message", SAID)
def test_the_part_that_people_need_and_what_to_check(message: str) -> None:
    """Without the address, so that gateways with the same reason are named together."""
    reason = reasons.of_connection(message)
    assert (reason, reasons.advice(reason)) == SAID[message]


@pytest.mark.parametrize("text", ["Permission denied (", "Could not resolve hostname ", "Incorrect x", "ssh: ", "\n"])
def test_who_prints_without_end_costs_nothing(text: str) -> None:
    """It is looked at where no limit of time holds any more."""
    began = time.process_time()
    reason = reasons.of_connection(SSH + text * 200_000)
    reasons.advice(reason)
    reasons.become_advice(text * 200_000)
    assert time.process_time() - began < 1


@given(st.text(max_size=5000))
def test_whatever_a_banner_says_is_one_short_printable_line(message: str) -> None:
    reason = reasons.of_connection(f"{SSH}{message}")
    assert reason.isprintable()
    assert len(reason) < 10 * reasons.LONGEST + 40
    assert reasons.advice(reason).startswith(("Check ", "Compare "))


@pytest.mark.parametrize(
    ("message", "is_become"),
    [
        ('Ansible says "Incorrect sudo password"', True),
        ('Ansible says "Missing sudo password"', True),
        ('refused: the module printed nothing, only "sudo: a password is required"', True),
        ('Ansible says "Timeout (12s) waiting for privilege escalation prompt: "', True),
        ('It says "No space left on device"', False),
    ],
)
def test_a_wrong_password_for_root_has_its_own_advice(message: str, is_become: bool) -> None:
    assert reasons.become_advice(message) == (reasons.BECOME if is_become else "")
