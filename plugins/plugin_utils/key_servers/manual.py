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
from ...module_utils._key_servers.plan import Clean, Distribute, Finish, Generate, Step
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
            lines += _step(step, Label(str(one.unit.label)))
    return "\n".join(lines) + "\n"


def _step(step: Step, label: Label) -> list[str]:
    if isinstance(step, Generate):
        target = label.scratch if step.scratch else label
        line = commands.generate(NOBODY.free(target), usage=t.cast(Usage, step.usage), exportable=True)
        return [*_on(step.host), line, f"! answer {step.bits} to the question for the modulus", *_end()]
    if isinstance(step, Finish):
        return [
            *_export(step.host, label.scratch),
            *_import(step.host, label, step.exportable),
            *_remove(step.host, label.scratch),
        ]
    if isinstance(step, Distribute):
        lines = _export(step.source, label.scratch if step.from_scratch else label)
        for host in step.missing:
            lines += _import(host, label, step.exportable)
        for host in step.replace:
            lines += [] if step.from_scratch and host == step.source else _import(host, label.scratch, True)
            lines += _save(host)
            lines += (
                _remove(host, label)
                + _import(host, label, step.exportable or host == step.source)
                + _remove(host, label.scratch)
            )
        return lines
    if isinstance(step, Clean):
        return [line for host in step.hosts for line in _remove(host, label.scratch)]
    return [line for host in step.hosts for line in _save(host)]


def _held(label: Label) -> HeldLabel:
    """When the line is typed, the key is there: an earlier line has put it there."""
    return KeyRing((RsaKey(label.name, "general", 0, True, None, None, False, None, b""),)).held(label)


def _on(host: str) -> list[str]:
    return [f"! ---- on {host}", commands.enter_config()]


def _end() -> list[str]:
    return [commands.leave_config()]


def _save(host: str) -> list[str]:
    return [f"! ---- on {host}", commands.save()]


def _export(host: str, label: Label) -> list[str]:
    forms = [commands.export(_held(label), cipher, PASSPHRASE) for cipher in rsa_keys.EXPORT_CIPHERS]
    return [*_on(host), *_one_of(forms), *_end()]


def _import(host: str, label: Label, exportable: bool) -> list[str]:
    forms = commands.imports(NOBODY.free(label), exportable=exportable, passphrase=PASSPHRASE, usage="general")
    return [*_on(host), *_one_of(forms), *PASTE, *_end()]


def _one_of(forms: Sequence[str]) -> list[str]:
    """What releases spell in different ways: the first that a device takes is the one."""
    return [forms[0], *(INSTEAD + form for form in forms[1:])]


def _remove(host: str, label: Label) -> list[str]:
    return [*_on(host), commands.remove(_held(label)), "! answer yes", *_end()]
