# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another key under a label that is in use. IOS can only empty the label and fill it again; so, in this order:

    stage   the new key is imported under the scratch label, proved, and saved: from here on it cannot be lost
    swap    the old key is removed by name, the new one imported under the label, proved, saved; scratch removed; saved

A cut before the swap leaves the old key untouched. A cut inside it leaves the new key whole under the scratch label,
and `finish` (the next run's first step) puts it in place without anything from anywhere else.

Keys that are removed, and keys that must be there, are given by their identity (`rsa_keys.identity`): what the plan was
made for. Should another key have appeared, it is left where it is, and the error names both.
"""

from __future__ import annotations

from .._errors import VpnKeysError
from .._fingerprint import short
from . import rsa_keys
from .dialogue import Dialogue, Terminal
from .key_listings import KeyRing, RsaKey
from .labels import Label
from .rsa_keys import Sealed


def stage(tty: Terminal, label: Label, sealed: Sealed, leftover: str | None, *, save: bool) -> Dialogue[bool]:
    """The new key lies proved under the scratch label. One that is there already is used; `leftover`, another one that
    the plan knows of, is removed. Returns whether it had to be imported."""
    ring = yield from rsa_keys.observe(tty)
    staged = ring.of(label.scratch)
    if staged and not (rsa_keys.identity(staged) == sealed.fingerprint and staged[0].exportable):
        known = (leftover, sealed.fingerprint)
        if rsa_keys.identity(staged) not in known:
            error = _another(tty, ring, label.scratch, leftover)
            raise rsa_keys.followed_by(error, f"The key {short(sealed.fingerprint)} was not staged.")
        yield from rsa_keys.remove(tty, label.scratch, str(rsa_keys.identity(staged)))
        staged = ()
    if not staged:
        yield from rsa_keys.import_key(tty, label.scratch, sealed, exportable=True)
    if save:
        yield from rsa_keys.save(tty)
    return not staged


def unstage(tty: Terminal, label: Label, staged: str, *, surely: bool, save: bool) -> Dialogue[bool]:
    """Take that back, also from the startup configuration: nobody sees there what a reload would bring back. Not where
    the label is empty: then the staged key is all that the device has.

    `surely`: whether staging it had come to its end, so that another key there is somebody else's. Raises conflict."""
    ring = yield from rsa_keys.observe(tty)
    if not ring.of(label):
        return False
    found = rsa_keys.identity(ring.of(label.scratch))
    if found != staged:
        if found and surely:
            raise _another(tty, ring, label.scratch, staged)
        return False
    yield from rsa_keys.remove(tty, label.scratch, staged, label)
    if save:
        yield from rsa_keys.save(tty)
    return True


def import_key(tty: Terminal, label: Label, sealed: Sealed, *, exportable: bool, save: bool) -> Dialogue[RsaKey]:
    """A key for an empty label."""
    yield from rsa_keys.import_key(tty, label, sealed, exportable=exportable)
    return (yield from clean(tty, label, sealed.fingerprint, save=save))


def export_old(tty: Terminal, label: Label, planned: str) -> Dialogue[Sealed | None]:
    """The key that is to be replaced, if the device gives it away. Raises conflict if it is not the planned one."""
    ring = yield from rsa_keys.observe(tty)
    keys = ring.of(label)
    _held(tty, ring, label, planned)
    if len(keys) != 1 or not keys[0].exportable:
        return None
    return (yield from rsa_keys.export(tty, label))


def swap(
    tty: Terminal, label: Label, sealed: Sealed, planned: str, old: Sealed | None, *, exportable: bool, save: bool
) -> Dialogue[RsaKey]:
    """From the key that was `planned` to be replaced to the staged one; back to `old`, the same key (if it could be
    exported), when that fails."""
    ring = yield from rsa_keys.observe(tty)
    if rsa_keys.identity(ring.of(label.scratch)) != sealed.fingerprint:
        raise _another(tty, ring, label.scratch, sealed.fingerprint)
    try:
        if ring.of(label):
            yield from rsa_keys.replace(tty, label, sealed, planned, exportable=exportable)
        else:
            yield from rsa_keys.import_key(tty, label, sealed, exportable=exportable)
    except VpnKeysError as error:
        raise rsa_keys.followed_by(error, (yield from _put_back(tty, label, old))) from None
    return (yield from clean(tty, label, sealed.fingerprint, staged=sealed.fingerprint, save=save))


def _put_back(tty: Terminal, label: Label, old: Sealed | None) -> Dialogue[str]:
    staged = f"The new key is stored under {label.scratch}; run the same task again to finish the replacement."
    if not (yield from tty.recover()):
        return f"The session was closed. {staged}"
    try:
        ring = yield from rsa_keys.observe(tty)
        if ring.of(label):
            return f"Check {label} on the device before you run anything else."
        if old is None:
            return f"The old key could not be exported, so it is lost. {staged}"
        yield from rsa_keys.import_key(tty, label, old, exportable=True)
    except VpnKeysError:
        return f"{label} may be empty. {staged}"
    return "The old key was put back."


def finish(tty: Terminal, label: Label, staged: str, *, exportable: bool, save: bool) -> Dialogue[RsaKey]:
    """Complete an interrupted swap from what lies on the device itself."""
    ring = yield from rsa_keys.observe(tty)
    if rsa_keys.identity(ring.of(label.scratch)) != staged:
        raise _another(tty, ring, label.scratch, staged)
    sealed = yield from rsa_keys.export(tty, label.scratch)
    ring = yield from rsa_keys.observe(tty)
    if not ring.of(label):
        yield from rsa_keys.import_key(tty, label, sealed, exportable=exportable)
    return (yield from clean(tty, label, sealed.fingerprint, staged=sealed.fingerprint, save=save))


def drop_scratch(tty: Terminal, label: Label, staged: str) -> Dialogue[None]:
    """Remove a scratch key that is no longer needed, unless somebody has done so already."""
    ring = yield from rsa_keys.observe(tty)
    if ring.of(label.scratch):
        yield from rsa_keys.remove(tty, label.scratch, staged)


def clean(tty: Terminal, label: Label, wanted: str, *, staged: str | None = None, save: bool) -> Dialogue[RsaKey]:
    """The last step on a device: the scratch key is removed if it is the `wanted` one, which the label now holds, and
    the configuration is saved. Returns what the label holds. `staged`: what must still be under the scratch label, if
    anything is. Raises conflict, save_failed."""
    ring = yield from rsa_keys.observe(tty)
    key = _held(tty, ring, label, wanted)
    scratch = rsa_keys.identity(ring.of(label.scratch))
    if staged is not None and scratch not in (None, staged):
        raise _another(tty, ring, label.scratch, staged)
    if scratch == wanted:
        if save and not key.saved:
            # Where zeroize reaches NVRAM at once, a reload right after it would find neither of the two.
            yield from rsa_keys.save(tty)
        yield from rsa_keys.remove(tty, label.scratch, wanted, label)
    return (yield from save_key(tty, label, wanted)) if save else key


def save_key(tty: Terminal, label: Label, wanted: str) -> Dialogue[RsaKey]:
    """Saves the configuration, and with it the `wanted` key under the label. Raises conflict, save_failed.

    That the device says so is all there is to know: many show of a saved key that its storage is not specified, some
    until the next boot, some for ever.
    """
    yield from rsa_keys.save(tty)
    ring = yield from rsa_keys.observe(tty)
    return _held(tty, ring, label, wanted)


def _held(tty: Terminal, ring: KeyRing, label: Label, wanted: str) -> RsaKey:
    keys = ring.of(label)
    if rsa_keys.identity(keys) != wanted:
        raise _another(tty, ring, label, wanted)
    return keys[0]


def _another(tty: Terminal, ring: KeyRing, label: Label, wanted: str | None) -> VpnKeysError:
    """Somebody else is changing keys on this device."""
    found = rsa_keys.named(rsa_keys.identity(ring.of(label)))
    return VpnKeysError(
        "conflict",
        f"{found} is under {label} now, {f'not {rsa_keys.named(wanted)}' if wanted else 'where there was none'}",
        host=tty.name,
        state="It was not changed",
        advice="another run may be changing keys there; compare again",
    )
