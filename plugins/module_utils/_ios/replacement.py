# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another key under a label that is in use. IOS can only empty the label and fill it again; so, in this order:

    stage   the new key is imported under the scratch label, proved, and saved: from here on it cannot be lost
    swap    the old key is removed by name, the new one imported under the label, proved, saved; scratch removed; saved

A cut before the swap leaves the old key untouched. A cut inside it leaves the new key whole under the scratch label,
and `finish` (the next run's first step) puts it in place without anything from anywhere else.
"""

from __future__ import annotations

import dataclasses

from .._errors import VpnKeysError
from . import rsa_keys
from .dialogue import Talk, Terminal
from .key_listings import KeyRing, RsaKey
from .labels import Label
from .rsa_keys import Sealed


def stage(tty: Terminal, label: Label, sealed: Sealed, *, save: bool) -> Talk[None]:
    """The new key lies proved under the scratch label. One that is there already is used; any other leftover goes."""
    ring = yield from rsa_keys.look(tty)
    staged = ring.of(label.scratch)
    if staged and not (staged[0].spki == sealed.spki and staged[0].exportable):
        yield from rsa_keys.remove(tty, label.scratch)
        staged = ()
    if not staged:
        yield from rsa_keys.bring_in(tty, label.scratch, sealed, exportable=True)
    if save:
        yield from rsa_keys.save(tty)


def unstage(tty: Terminal, label: Label, *, save: bool) -> Talk[bool]:
    """Take that back, also from the startup configuration: nobody sees there what a reload would bring back."""
    dropped = yield from drop_scratch(tty, label)
    if dropped and save:
        yield from rsa_keys.save(tty)
    return dropped


def bring(tty: Terminal, label: Label, sealed: Sealed, *, exportable: bool, save: bool) -> Talk[RsaKey]:
    """A key for an empty label."""
    yield from rsa_keys.bring_in(tty, label, sealed, exportable=exportable)
    return (yield from clean(tty, label, save=save))


def take_old(tty: Terminal, label: Label) -> Talk[Sealed | None]:
    """The key that is to be replaced, if the device gives it away."""
    ring = yield from rsa_keys.look(tty)
    keys = ring.of(label)
    if len(keys) != 1 or not keys[0].exportable:
        return None
    return (yield from rsa_keys.export(tty, label))


def swap(
    tty: Terminal, label: Label, sealed: Sealed, old: Sealed | None, *, exportable: bool, save: bool
) -> Talk[RsaKey]:
    """From the old key to the staged one, and back to the old one (if it could be exported) when that fails."""
    ring = yield from rsa_keys.look(tty)
    if not any(key.spki == sealed.spki for key in ring.of(label.scratch)):
        raise VpnKeysError(
            "conflict", f"{tty.name}: the new key is not under {label.scratch} any more. The old one was left alone."
        )
    try:
        if ring.of(label):
            yield from rsa_keys.exchange(tty, label, sealed, exportable=exportable)
        else:
            yield from rsa_keys.bring_in(tty, label, sealed, exportable=exportable)
    except VpnKeysError as error:
        state = yield from _put_back(tty, label, old)
        raise VpnKeysError(error.code, f"{error} {state}") from None
    return (yield from clean(tty, label, save=save))


def _put_back(tty: Terminal, label: Label, old: Sealed | None) -> Talk[str]:
    staged = f"The new key lies ready under {label.scratch}; run the same again to put it in place."
    if not (yield from tty.recover()):
        return f"The session was closed. {staged}"
    try:
        ring = yield from rsa_keys.look(tty)
        if ring.of(label):
            return f"Look at {label} before anything else."
        if old is None:
            return f"The old key could not be exported, so it is gone. {staged}"
        yield from rsa_keys.bring_in(tty, label, old, exportable=True)
    except VpnKeysError:
        return f"{label} may be empty. {staged}"
    return "The old key was put back."


def finish(tty: Terminal, label: Label, *, exportable: bool, save: bool) -> Talk[RsaKey]:
    """Complete an interrupted swap from what lies on the device itself."""
    sealed = yield from rsa_keys.export(tty, label.scratch)
    ring = yield from rsa_keys.look(tty)
    if not ring.of(label):
        yield from rsa_keys.bring_in(tty, label, sealed, exportable=exportable)
    return (yield from clean(tty, label, save=save))


def drop_scratch(tty: Terminal, label: Label) -> Talk[bool]:
    """Whether there was a scratch key to remove."""
    ring = yield from rsa_keys.look(tty)
    if not ring.of(label.scratch):
        return False
    yield from rsa_keys.remove(tty, label.scratch)
    return True


def clean(tty: Terminal, label: Label, *, save: bool) -> Talk[RsaKey]:
    """The last step on a device: the scratch key goes if the label now holds the same one, and the configuration is
    saved. Returns what the label holds. Raises conflict, save_failed."""
    ring = yield from rsa_keys.look(tty)
    key = _held(tty, ring, label)
    if any(other.spki == key.spki for other in ring.of(label.scratch)):
        if save and not key.saved:
            # Where zeroize reaches NVRAM at once, a reload right after it would find neither of the two.
            yield from rsa_keys.save(tty)
        yield from rsa_keys.remove(tty, label.scratch)
    return (yield from save_key(tty, label)) if save else key


def save_key(tty: Terminal, label: Label) -> Talk[RsaKey]:
    """Saves the configuration, and proves that the key under the label is in it. Raises conflict, save_failed.

    That the listing tells what is saved is a strong hint, no known fact. Where it calls no key saved right after the
    device said that it wrote them, it does not tell, and the device's word has to do.
    """
    yield from rsa_keys.save(tty)
    ring = yield from rsa_keys.look(tty)
    key = _held(tty, ring, label)
    if key.saved is not False:
        return key
    if not any(other.saved for other in ring.keys):
        return dataclasses.replace(key, saved=None)
    raise VpnKeysError(
        "save_failed",
        f"{tty.name}: the configuration was written, but key {label} is still shown as not saved "
        f'("{key.storage}"). It works now; make sure that it survives a reload.',
    )


def _held(tty: Terminal, ring: KeyRing, label: Label) -> RsaKey:
    keys = ring.of(label)
    if not keys:
        raise VpnKeysError(
            "conflict", f"{tty.name}: there is no key {label} any more; somebody else is at work. Look again."
        )
    return keys[0]
