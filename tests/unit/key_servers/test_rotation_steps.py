# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of every step of a rotation."""

from __future__ import annotations

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation_steps import (
    Prepare,
    Rekey,
    Remove,
    Save,
    Step,
    Switch,
)

HOSTS = ("ks1", "ks2")
SENTENCES: dict[Step, str] = {
    Prepare("NEW", HOSTS): "The key NEW is imported to ks1, ks2 and saved.",
    Switch(HOSTS, "NEW"): "The label is changed to NEW on ks1, ks2.",
    Save(HOSTS): "The configuration is saved on ks1, ks2.",
    Rekey("ks1"): "A rekey is sent from ks1.",
    Rekey("ks1", replace_now=True): "A rekey is sent from ks1, which ends the keys in use at once.",
    Remove(HOSTS, "OLD"): "The key OLD is removed on ks1, ks2.",
}


def test_each_has_its_sentence() -> None:
    assert {step: step.describe() for step in SENTENCES} == SENTENCES
    assert {type(step) for step in SENTENCES} == set(Step.__subclasses__())
