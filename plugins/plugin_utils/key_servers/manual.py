# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as commands for people who type them, or deploy them, themselves."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ...module_utils._errors import rendered
from ...module_utils._ios import commands, rsa_keys
from ...module_utils._ios.key_listings import HeldLabel, KeyRing, RsaKey
from ...module_utils._ios.labels import Label
from ...module_utils._ios.pem import Usage
from .survey import Planned

PASSPHRASE = "<PASSPHRASE>"
PASTE = (
    "! paste the public key, an empty line, the private key, then type quit. Each key begins and ends with -----:",
    "! leave out base64 len and its number, which some releases print in front of the private key",
)
INSTEAD = '! if that is refused with "% Invalid input", type instead: '
NOBODY = KeyRing(())


def commands_for(planned: Sequence[Planned], names: Mapping[str, str]) -> str:
    """One text for all units; `!` begins a comment, as in IOS configurations. `names`: what the reader can set."""
    lines = [
        "! The commands that vpnops.keys would send, for manual use.",
        f"! {PASSPHRASE}: choose one for this transfer, at least 8 characters, no ? and no space; use it nowhere else.",
        "! Check the keys (show crypto key mypubkey rsa) before and after each step.",
        '! Some releases have the commands in exec mode: if all forms of one are refused with "% Invalid input",',
        "! type end, then the same again.",
    ]
    for one in planned:
        lines += ["!", f"! {one.unit.label} ({', '.join(one.unit.groups)}): {one.plan.verdict}"]
        if one.plan.blocked:
            lines.append(f"! {rendered(one.plan.blocked, names)}")
        for step in one.plan.steps or one.plan.would:
            lines += step.by_hand(_Typed(Label(str(one.unit.label))))
    return "\n".join(lines) + "\n"


class _Typed:
    """Each move as lines of IOS."""

    def __init__(self, label: Label) -> None:
        self.label = label

    def _label(self, scratch: bool) -> Label:
        return self.label.scratch if scratch else self.label

    def generate(self, host: str, *, scratch: bool, bits: int, usage: str) -> list[str]:
        free = NOBODY.free(self._label(scratch))
        line = commands.generate(free, usage=t.cast(Usage, usage), exportable=True)
        return _in_config(host, line, f"! answer {bits} to the question for the modulus")

    def export_key(self, host: str, *, scratch: bool) -> list[str]:
        held = _held(self._label(scratch))
        forms = [commands.export(held, cipher, PASSPHRASE) for cipher in rsa_keys.EXPORT_CIPHERS]
        return _in_config(host, *_one_of(forms))

    def import_key(self, host: str, *, scratch: bool, exportable: bool) -> list[str]:
        free = NOBODY.free(self._label(scratch))
        forms = commands.imports(free, exportable=exportable, passphrase=PASSPHRASE, usage="general")
        return _in_config(host, *_one_of(forms), *PASTE)

    def remove(self, host: str, *, scratch: bool) -> list[str]:
        return _in_config(host, commands.remove(_held(self._label(scratch))), "! answer yes")

    def save(self, host: str) -> list[str]:
        return [_on(host), commands.save()]


def _held(label: Label) -> HeldLabel:
    """When the line is typed, the key is there: an earlier line has put it there."""
    return KeyRing((RsaKey(label.name, "general", 0, True, None, None, False, None, b""),)).held(label)


def _on(host: str) -> str:
    return f"! ---- on {host}"


def _in_config(host: str, *lines: str) -> list[str]:
    return [_on(host), commands.enter_config(), *lines, commands.leave_config()]


def _one_of(forms: Sequence[str]) -> list[str]:
    """What releases spell in different ways: the first that a device takes is the one."""
    return [forms[0], *(INSTEAD + form for form in forms[1:])]
