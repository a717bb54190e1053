# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which key signs the rekeys of a group: what is sent to a device, and what ends it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios import group_key
from ansible_collections.vpnops.keys.plugins.module_utils._ios.dialogue import Dialogue, Terminal
from ansible_collections.vpnops.keys.plugins.module_utils._ios.labels import Label
from lab.keys import pool_key

REFUSED = "% Invalid input detected at '^' marker.\n"


class Device:
    """A device that answers line by line. `label`: what its group names; `refuses`: lines that it does not take."""

    def __init__(self, label: str = "OLD", refuses: Mapping[str, str] | None = None, stubborn: bool = False) -> None:
        self.label, self.refuses, self.stubborn = label, dict(refuses or {}), stubborn
        self.lines: list[str] = []
        self.mode = "#"

    def drive(self, talk: Dialogue[object]) -> object:
        wire = next(talk)
        try:
            while True:
                wire = talk.send(self.answer(wire.send) if wire.send else None)
        except StopIteration as end:
            return end.value

    def answer(self, sent: str) -> str:
        line = sent.removesuffix("\r")
        self.lines.append(line)
        return f"{line}\r\n{self.output(line)}KS1{self.mode}"

    def output(self, line: str) -> str:
        if line in self.refuses:
            return self.refuses[line]
        if line.startswith("show running-config | section"):
            return f"crypto gdoi group G\n server local\n  rekey authentication mypubkey rsa {self.label}\n"
        if line.startswith("show crypto key"):
            return listing("OLD", "NEW")
        words = line.split()
        self.mode = {
            "configure": "(config)#", "crypto": "(config-gdoi-group)#", "server": "(gdoi-local-server)#", "end": "#",
        }.get(words[0], self.mode)  # fmt: skip
        if words[0] == "rekey" and not self.stubborn:
            self.label = words[-1]
        return ""


def listing(*labels: str) -> str:
    out = ""
    for number, label in enumerate(labels):
        data = pool_key(2048, number).spki.hex().upper()
        rows = "\n".join("  " + " ".join(data[at : at + 64][i : i + 8] for i in range(0, 64, 8)).strip()
                         for at in range(0, len(data), 64))  # fmt: skip
        out += (
            f"% Key pair was generated at: 06:51:40 UTC Aug 30 2026\nKey name: {label}\nKey type: RSA KEYS\n"
            " Storage Device: private-config\n Usage: General Purpose Key\n Key is exportable.\n Key Data:\n"
            f"{rows}\n"
        )
    return out


def terminal() -> Terminal:
    tty = Terminal("ks1", timeout=1)
    tty._last_prompt = "KS1#"
    return tty


def test_the_label_is_set_where_the_group_is_and_looked_at_again() -> None:
    device = Device()
    assert device.drive(group_key.set_label(terminal(), "G", Label("NEW"))) is True
    assert [line for line in device.lines if not line.startswith("show")] == [
        "configure terminal",
        "crypto gdoi group G",
        "server local",
        "rekey authentication mypubkey rsa NEW",
        "end",
    ]
    assert device.lines[-1].startswith("show running-config")
    assert device.drive(group_key.set_label(terminal(), "G", Label("NEW"))) is False


@pytest.mark.parametrize("line", ["crypto gdoi group G", "server local", "rekey authentication mypubkey rsa NEW"])
def test_after_a_refusal_nothing_is_typed_in_the_wrong_place(line: str) -> None:
    device = Device(refuses={line: REFUSED})
    with pytest.raises(VpnKeysError) as caught:
        device.drive(group_key.set_label(terminal(), "G", Label("NEW")))
    assert caught.value.code == "refused"
    assert device.lines[-2:] == [line, "end"]
    assert device.label == "OLD"


@pytest.mark.parametrize(("group", "label"), [("OTHER", "NEW"), ("G", "MISSING")])
def test_without_the_group_or_the_key_nothing_is_begun(group: str, label: str) -> None:
    device = Device()
    with pytest.raises(VpnKeysError) as caught:
        device.drive(group_key.set_label(terminal(), group, Label(label)))
    assert (caught.value.code, caught.value.state) == ("not_found", "Nothing was changed")
    assert all(line.startswith("show") for line in device.lines)


def test_a_device_that_takes_the_line_and_does_nothing_is_noticed() -> None:
    with pytest.raises(VpnKeysError, match="group G names OLD, not NEW"):
        Device(stubborn=True).drive(group_key.set_label(terminal(), "G", Label("NEW")))


def test_a_refused_rekey_is_told() -> None:
    line = "crypto gdoi ks rekey group G"
    with pytest.raises(VpnKeysError, match="sent no rekey"):
        Device(refuses={line: REFUSED}).drive(group_key.send_rekey(terminal(), "G"))
    device = Device()
    device.drive(group_key.send_rekey(terminal(), "G", replace_now=True))
    assert device.lines[-1] == f"{line} replace-now"


def test_a_key_that_a_group_names_is_not_removed() -> None:
    device = Device()
    with pytest.raises(VpnKeysError, match='still named there: "group G"'):
        device.drive(group_key.remove_key(terminal(), Label("OLD"), "x"))
    assert all(line.startswith("show") for line in device.lines)
