# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which RSA key signs the rekeys of a GET VPN group on one key server: look, change, send a rekey, remove what is left.

As in rsa_keys: each operation looks first, writes, and looks again. No group may name a label without a key, so the
proof that a key stands there comes from the same session. Generators over a `Terminal`; no I/O.
"""

from __future__ import annotations

import re

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import commands, rsa_keys, screen
from .dialogue import Dialogue, Terminal
from .getvpn import groups_of
from .getvpn_config import Group
from .labels import Label


def observe_group(tty: Terminal, name: str) -> Dialogue[Group]:
    """The group as configured. Raises not_found where the device is no key server of it."""
    groups = yield from groups_of(tty)
    found = next((group for group in groups if group.name == name and group.local_server), None)
    if found is None:
        raise VpnKeysError(
            "not_found", f"it is not a key server of the group {name}", host=tty.name, state=NOTHING_CHANGED
        )
    return found


def set_label(tty: Terminal, name: str, label: Label) -> Dialogue[bool]:
    """Have the rekeys of a group signed with the key of a label; whether that was changed. Not saved.

    Raises not_found, refused, not_proved. Where the device refuses, the label that was there is still there.
    """
    group = yield from observe_group(tty, name)
    if group.label == label.name:
        return False
    ring = yield from rsa_keys.observe(tty)
    line = commands.sign_with(rsa_keys.held_label(tty, ring, label))
    yield from rsa_keys.enter_config(tty)
    tty.will_write()
    for one in (*commands.enter_group(group.kind, name), line):
        yield from _expect_taken(tty, one)
    yield from rsa_keys.leave_config(tty)
    found = (yield from observe_group(tty, name)).label
    if found != label.name:
        raise VpnKeysError("not_proved", f"group {name} names {found or 'no RSA key'}, not {label}", host=tty.name)
    return True


def _expect_taken(tty: Terminal, line: str) -> Dialogue[None]:
    """What is refused ends it: the next line would be typed in the wrong place."""
    reply = yield from tty.ask(line, probe=False)
    found = screen.refusal(reply.text)
    if found or not tty.in_config:
        said = found.line if found else "it left the configuration"
        yield from rsa_keys.leave_config(tty)
        raise VpnKeysError("refused", f'the device did not accept "{line}": "{said}"', host=tty.name)


def send_rekey(tty: Terminal, name: str, *, replace_now: bool = False) -> Dialogue[None]:
    """Send a rekey of a group. That it went out shows in the count of rekeys. Raises not_found, refused."""
    group = yield from observe_group(tty, name)
    reply = yield from tty.ask(commands.rekey_now(group.kind, name, replace_now), probe=False)
    if found := screen.refusal(reply.text):
        raise VpnKeysError("refused", f'the device sent no rekey: "{found.line}"', host=tty.name)


_NAMED = re.compile(r"(?:ip ssh rsa keypair-name|rsakeypair) (\S+)")


def remove_key(tty: Terminal, label: Label, expected: str) -> Dialogue[None]:
    """Remove the key `expected` (its identity) of a label that nothing names, and save.

    Raises in_use for a label that a group, SSH or a trustpoint names; conflict, remove_failed, save_failed.
    """
    groups = yield from groups_of(tty)
    users = [f"group {group.name}" for group in groups if group.label == label.name]
    listed = screen.strip_noise((yield from rsa_keys.show(tty, commands.show_key_pairs_in_use())))
    named = (_NAMED.match(line.strip()) for line in listed.split("\n"))
    users += [found[0] for found in named if found and found[1] == label.name]
    if users:
        raise VpnKeysError(
            "in_use",
            f'the key {label} is still named there: "{users[0]}"',
            host=tty.name,
            state="It was not removed",
            advice="name another key there first",
        )
    ring = yield from rsa_keys.observe(tty)
    if ring.of(label):
        yield from rsa_keys.remove(tty, label, expected)
    yield from rsa_keys.save(tty)
