# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be done with RSA keys on one device: look, generate, export, import, remove, save.

Each operation looks first, writes, and looks again: it returns what the device shows afterwards, or raises one sentence
that says what the device said and what stands there now. What takes a key away is told which one, and looks once more,
last thing before: between that look and the command nothing is sent. Generators over a `Terminal`; no I/O.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._fingerprint import fingerprint, short
from . import commands, key_listings, pem, screen
from .dialogue import Answer, Dialogue, Reply, Terminal, snooze
from .key_listings import KeyRing, RsaKey
from .labels import Label

GENERATION_TIMEOUT = 600.0
"""Seconds. 4096 bits took "10 sec to over 2 minutes" on field gear; old boxes are slower still."""
IMPORT_TIMEOUT = 120.0
SAVE_TIMEOUT = 180.0
POLL = (1.0, 2.0, 3.0, 5.0)
"""Seconds between looks for a key that is generated in the background; the last one repeats."""
EXPORT_CIPHERS = ("3des", "aes")
"""3des is what every release imports again; aes only where a release has dropped 3des."""


@dataclass(frozen=True)
class Sealed:
    """A key pair on its way between devices: public half, and private half encrypted under a one-time passphrase."""

    spki: bytes
    usage: pem.Usage
    public_pem: str
    private_pem: str = field(repr=False)
    passphrase: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.spki)

    @property
    def bits(self) -> int:
        return pem.rsa_numbers(self.spki)[0].bit_length()


def identity(keys: Sequence[RsaKey]) -> str | None:
    """The key under one label, as a fingerprint; None if the label is free.

    Of a pair of usage keys, over both: it is the same on two devices if both of its keys are.
    """
    if len(keys) < 2:
        return keys[0].fingerprint if keys else None
    return hashlib.sha256("".join(sorted(key.fingerprint for key in keys)).encode()).hexdigest()


def named(found: str | None) -> str:
    """An identity in a sentence."""
    return f"the key {short(found)}" if found else "no key"


def followed_by(error: VpnKeysError, text: str) -> VpnKeysError:
    """The error, with `text` about the state of the device in place of its own."""
    before = VpnKeysError(error.code, error.what, state=error.state, advice=error.advice)
    return VpnKeysError(error.code, before.marked, host=error.host, state=text)


def observe(tty: Terminal) -> Dialogue[KeyRing]:
    """All RSA keys of the device; a look right after another one is the same look.

    Raises no_privilege, refused, unreadable.
    """
    if isinstance(tty.note, KeyRing):
        return tty.note
    ring = _read(tty, (yield from show(tty, commands.show_keys())))
    tty.note = ring
    return ring


def _read(tty: Terminal, listing: str) -> KeyRing:
    try:
        keys = key_listings.read_rsa_keys(listing)
    except VpnKeysError as error:
        raise VpnKeysError(error.code, error.what, host=tty.name, state=_untouched(tty)) from None
    return KeyRing(tuple(_as_saved(key, tty.saved) for key in keys))


def _as_saved(key: RsaKey, saved: bool | None) -> RsaKey:
    """Where a listing does not tell, what the session knows holds."""
    return dataclasses.replace(key, saved=saved) if key.saved is None and not key.temporary else key


def _observe_once_more(tty: Terminal, label: Label, expected: str) -> Dialogue[KeyRing]:
    """The keys, listed where the next command is typed. Raises conflict if another key than `expected` is there."""
    if tty.in_config:
        reply = yield from tty.ask(commands.show_keys_in_config())
        if _unknown_command(reply):
            text = yield from show(tty, commands.show_keys())
            yield from enter_config(tty)
        else:
            text = reply.text
    else:
        text = yield from show(tty, commands.show_keys())
    ring = _read(tty, text)
    found = identity(ring.of(label))
    if found != expected:
        raise VpnKeysError(
            "conflict",
            f"{named(found)} is under {label} now, not {named(expected)}, which was to be removed",
            host=tty.name,
            state="It was not removed",
            advice="another run may be changing keys there; compare again",
        )
    return ring


def observe_at(tty: Terminal, label: Label) -> Dialogue[RsaKey]:
    """The one key under a label. Raises not_found, and bad_input for a pair of usage keys."""
    return _single(tty, (yield from observe(tty)), label)


def show(tty: Terminal, line: str) -> Dialogue[str]:
    """The output of one show command. Raises no_privilege or refused, with the privilege level found out."""
    yield from leave_config(tty)
    reply = yield from tty.ask(line)
    found = screen.refusal(reply.text)
    if found is None or found.code not in screen.COMMAND_REFUSED:
        return reply.text
    level = screen.read_privilege((yield from tty.ask(commands.show_privilege())).text)
    if level is not None and level < 15:
        raise VpnKeysError(
            "no_privilege",
            f'privilege level {level} is not enough ("{found.line}" for "{line}")',
            host=tty.name,
            state=_untouched(tty),
            advice="log in with level 15, or set ansible_become: true and ansible_become_method: enable",
        )
    raise VpnKeysError("refused", f'the device refused "{line}": "{found.line}"', host=tty.name, state=_untouched(tty))


def generate(
    tty: Terminal,
    label: Label,
    bits: int,
    *,
    usage: pem.Usage,
    exportable: bool,
    replace: str | None = None,
    timeout: float = GENERATION_TIMEOUT,
) -> Dialogue[tuple[RsaKey, ...]]:
    """A new key under a free label; the key `replace` (its identity) is replaced by the device, in one step of its own.

    The size is never on the line but the answer to the device's question, so the device itself asks before it replaces.
    """
    ring, line = yield from _generation(tty, label, usage, exportable, replace)
    appeared = False

    def may_replace(question: str) -> str:
        nonlocal appeared
        appeared = not replace
        return "yes" if replace else "no"

    answers = [(screen.REPLACE_QUESTION, may_replace), (screen.MODULUS_QUESTION, _modulus(tty, bits))]
    try:
        reply = yield from _command(tty, (line,), answers=answers, timeout=timeout)
    except VpnKeysError as error:
        raise followed_by(error, (yield from _afterwards(tty, label))) from None
    if appeared:
        raise VpnKeysError(
            "in_use",
            f"another session has just generated a key {label}",
            host=tty.name,
            state="It was not changed",
            advice="run again to see it",
        )
    keys = yield from _made(tty, label, ring, reply, timeout)
    _check_made(tty, label, keys, bits, exportable)
    return keys


def _generation(
    tty: Terminal, label: Label, usage: pem.Usage, exportable: bool, replace: str | None
) -> Dialogue[tuple[KeyRing, str]]:
    """What is there before, and the command. Raises in_use; conflict if the key to replace is another one by now."""
    if replace:
        yield from enter_config(tty)
        ring = yield from _observe_once_more(tty, label, replace)
        return ring, commands.regenerate(held_label(tty, ring, label), usage=usage, exportable=exportable)
    ring = yield from observe(tty)
    return ring, commands.generate(_free(tty, ring, label), usage=usage, exportable=exportable)


def _modulus(tty: Terminal, bits: int) -> Answer:
    """The answer to the question for a size, unless the device says that it makes no such keys."""

    def answer(question: str) -> str:
        allowed = screen.modulus_range(question)
        if allowed and not allowed[0] <= bits <= allowed[1]:
            raise VpnKeysError(
                "bad_input",
                f"the device makes keys of {allowed[0]} to {allowed[1]} bits, not {bits}",
                host=tty.name,
                advice="choose another O(size)",
            )
        return str(bits)

    return answer


def _made(tty: Terminal, label: Label, before: KeyRing, reply: Reply, timeout: float) -> Dialogue[tuple[RsaKey, ...]]:
    """The new key, waited for if the device makes it in the background. Raises generate_failed."""
    old = {key.spki for key in before.of(label)}
    in_background = screen.generation(reply.text) == "background"
    waited = 0.0
    for pause in chain(POLL, repeat(POLL[-1])):
        ring = yield from observe(tty)
        keys = ring.of(label)
        if keys and {key.spki for key in keys}.isdisjoint(old):
            break
        if not in_background or waited >= timeout:
            raise VpnKeysError(
                "generate_failed",
                f"no new key {label} was made{_said(reply.text)}",
                host=tty.name,
                state=_now(ring, label),
            )
        yield from snooze(pause)
        tty.note = None  # what was seen before the pause is no news any more
        waited += pause
    return keys


def _check_made(tty: Terminal, label: Label, keys: Sequence[RsaKey], bits: int, exportable: bool) -> None:
    for key in keys:
        if key.bits != bits or key.exportable != exportable:
            raise VpnKeysError(
                "generate_failed",
                f"asked for {bits} bits, exportable={exportable}; the device made key {label} "
                f"with {key.bits} bits, exportable={key.exportable}",
                host=tty.name,
                advice="Remove it (state: absent) or accept it",
            )


def export(tty: Terminal, label: Label) -> Dialogue[Sealed]:
    """The key pair, its private half encrypted under a fresh one-time passphrase, proved by decrypting it here.

    Raises not_found, not_exportable, export_failed.
    """
    ring = yield from observe(tty)
    held = held_label(tty, ring, label)
    key = _single(tty, ring, label)
    if not key.exportable:
        raise VpnKeysError(
            "not_exportable",
            f"key {label} is not exportable, and IOS cannot make it exportable",
            host=tty.name,
            state=_untouched(tty),
            advice="use an exportable copy of another key server, or generate a new key with O(overwrite)",
        )
    passphrase = commands.one_time_passphrase()
    for cipher in EXPORT_CIPHERS:
        reply = yield from _command(tty, (commands.export(held, cipher, passphrase),), writes=False)
        if not _unknown_command(reply):
            break
    found = screen.refusal(reply.text)
    try:
        exported = key_listings.read_export(reply.text)
        private = pem.check_pair(exported, passphrase, key.spki)
    except VpnKeysError as error:
        code = "not_exportable" if found and found.code == "not_exportable" else "export_failed"
        raise VpnKeysError(
            code,
            f"export of {label} failed{_said(reply.text) or f' ({error})'}",
            host=tty.name,
            state=f"{named(key.fingerprint).capitalize()} was to be exported, and was not changed there",
        ) from None
    yield from leave_config(tty)
    # Sealed again in the one form that every release imports: the aes form of IOS XE is its own.
    return Sealed(key.spki, key.usage, key.public_key, pem.seal_3des(private, passphrase), passphrase)


def import_key(tty: Terminal, label: Label, sealed: Sealed, *, exportable: bool) -> Dialogue[RsaKey]:
    """Import under a free label, and prove that it is the key that was sent. Raises in_use, import_failed."""
    ring = yield from observe(tty)
    try:
        free = _free(tty, ring, label)
    except VpnKeysError as error:
        raise followed_by(error, f"{named(sealed.fingerprint).capitalize()} was not imported.") from None
    return (yield from _import(tty, free, sealed, exportable))


def replace(tty: Terminal, label: Label, sealed: Sealed, old: str, *, exportable: bool) -> Dialogue[RsaKey]:
    """Another key in place of `old` (its identity) under a label, which is empty for no longer than IOS forces on us.
    Nothing is removed unless a key stands under the scratch label.

    What was removed is not looked for before the import. Should it still be there, the import does not replace it: the
    device refuses or asks, and the look at the end tells.
    """
    ring, _said_to_it = yield from _zeroize(tty, label, old, label.scratch)
    emptied = KeyRing(tuple(key for key in ring.keys if key.label != label.name))
    return (yield from _import(tty, emptied.free(label), sealed, exportable))


def _import(tty: Terminal, free: key_listings.FreeLabel, sealed: Sealed, exportable: bool) -> Dialogue[RsaKey]:
    spellings = commands.imports(free, exportable=exportable, passphrase=sealed.passphrase, usage=sealed.usage)
    reply = yield from _command(
        tty,
        spellings,
        answers=[(screen.REPLACE_QUESTION, "no")],
        until=[screen.PUBLIC_PEM_PROMPT],
        timeout=IMPORT_TIMEOUT,
    )
    if not reply.at_prompt:
        reply = yield from _paste(tty, sealed)
    ring = yield from observe(tty)
    arrived = [key for key in ring.of(free.label) if key.spki == sealed.spki]
    if not arrived or not screen.imported(reply.text):
        raise VpnKeysError(
            "import_failed",
            f"import of {free.label} failed{_said(reply.text)}",
            host=tty.name,
            state=_now(ring, free.label, sealed.fingerprint),
        )
    return arrived[0]


def _paste(tty: Terminal, sealed: Sealed) -> Dialogue[Reply]:
    stopped = yield from tty.paste(commands.paste_lines(sealed.public_pem))
    if stopped is None:
        stopped = yield from tty.end_paste("", [screen.PRIVATE_PEM_PROMPT], IMPORT_TIMEOUT)
    if stopped.at_prompt:
        return stopped
    stopped = yield from tty.paste(commands.paste_lines(sealed.private_pem))
    if stopped is None:
        stopped = yield from tty.end_paste(commands.leave_paste(), (), IMPORT_TIMEOUT)
    return stopped


def remove(tty: Terminal, label: Label, expected: str, beside: Label | None = None) -> Dialogue[None]:
    """Remove the key `expected` (its identity) under one label, by name. Raises conflict, remove_failed.

    `beside`: a label under which a key must stand, so that a device never has neither of the two."""
    _ring, reply = yield from _zeroize(tty, label, expected, beside)
    ring = yield from observe(tty)
    left = identity(ring.of(label))
    if left == expected:
        raise VpnKeysError("remove_failed", f"key {label} is still there{_said(reply.text)}", host=tty.name)
    if left:
        raise VpnKeysError(
            "conflict",
            f"{named(left)} appeared under {label} in the moment in which {named(expected)} was removed",
            host=tty.name,
            state="It was not changed",
            advice="another run may be changing keys there; compare again",
        )


def _zeroize(tty: Terminal, label: Label, expected: str, beside: Label | None) -> Dialogue[tuple[KeyRing, Reply]]:
    """What was there last thing before, and what the device said."""
    for enter in (enter_config, leave_config):
        yield from enter(tty)
        ring = yield from _observe_once_more(tty, label, expected)
        if beside and not ring.of(beside):
            raise VpnKeysError(
                "conflict",
                f"{named(expected)} under {label} is the only remaining copy, because key {beside} no longer exists",
                host=tty.name,
                state="It was not removed",
                advice="another run may be changing keys there; compare again",
            )
        line = commands.remove(held_label(tty, ring, label))
        tty.will_write()
        reply = yield from tty.ask(line, answers=[(screen.REMOVE_QUESTION, "yes")], probe=False)
        if not (reply.at_prompt and _unknown_command(reply)):
            break
    return ring, reply


def save(tty: Terminal) -> Dialogue[None]:
    """Write the configuration, and with it the keys, to NVRAM. Raises save_failed."""
    yield from leave_config(tty)
    answers = [(screen.OVERWRITE_NVRAM_QUESTION, ""), (screen.DESTINATION_QUESTION, "")]
    reply = yield from tty.ask(commands.save(), answers=answers, timeout=SAVE_TIMEOUT, probe=False)
    if not screen.saved(reply.text):
        raise VpnKeysError(
            "save_failed",
            f"the configuration was not written{_said(reply.text)}",
            host=tty.name,
            state="The keys work, but a reload would lose what was not saved",
            advice="clear the cause (NVRAM full? another session saving?) and run again",
        )
    tty.has_saved()


def leave_config(tty: Terminal) -> Dialogue[None]:
    if tty.in_config:
        yield from tty.ask(commands.leave_config())


def enter_config(tty: Terminal) -> Dialogue[None]:
    if not tty.in_config:
        opened = yield from tty.ask(commands.enter_config(), probe=False)
        if not tty.in_config:
            raise VpnKeysError(
                "refused",
                f"configuration mode was refused{_said(opened.text)}",
                host=tty.name,
                state=_untouched(tty),
            )


def _command(
    tty: Terminal,
    spellings: Sequence[str],
    *,
    answers: Sequence[tuple[str, Answer]] = (),
    until: Sequence[str] = (),
    timeout: float | None = None,
    writes: bool = True,
) -> Dialogue[Reply]:
    """A key command: in configuration mode, where every known release takes it, else in exec mode."""
    yield from enter_config(tty)
    if writes:
        tty.will_write()
    reply = yield from _spell(tty, spellings, answers, until, timeout)
    if reply.at_prompt and _unknown_command(reply):
        yield from leave_config(tty)
        reply = yield from _spell(tty, spellings, answers, until, timeout)
    return reply


def _spell(
    tty: Terminal,
    spellings: Sequence[str],
    answers: Sequence[tuple[str, Answer]],
    until: Sequence[str],
    timeout: float | None,
) -> Dialogue[Reply]:
    for line in spellings:
        reply = yield from tty.ask(line, answers=answers, until=until, timeout=timeout, probe=False)
        if not (reply.at_prompt and _unknown_command(reply)):
            break
    return reply


def _unknown_command(reply: Reply) -> bool:
    found = screen.refusal(reply.text)
    return found is not None and found.code in screen.COMMAND_UNKNOWN


def _single(tty: Terminal, ring: KeyRing, label: Label) -> RsaKey:
    held_label(tty, ring, label)
    keys = ring.of(label)
    if len(keys) != 1:
        raise VpnKeysError(
            "bad_input",
            f"{label} is a pair of usage keys; only general-purpose keys can be copied",
            host=tty.name,
            state=_untouched(tty),
        )
    return keys[0]


def _free(tty: Terminal, ring: KeyRing, label: Label) -> key_listings.FreeLabel:
    try:
        return ring.free(label)
    except VpnKeysError:
        raise VpnKeysError(
            "in_use",
            f"there is a key {label} already ({short(str(identity(ring.of(label))))})"
            if ring.of(label)
            else f"there is a key {label} already",
            host=tty.name,
            state="It was not changed",
        ) from None


def held_label(tty: Terminal, ring: KeyRing, label: Label) -> key_listings.HeldLabel:
    try:
        return ring.held(label)
    except VpnKeysError:
        raise VpnKeysError("not_found", f"there is no RSA key {label}", host=tty.name, state=_untouched(tty)) from None


def _untouched(tty: Terminal) -> str:
    return "" if tty.wrote else NOTHING_CHANGED


def _afterwards(tty: Terminal, label: Label) -> Dialogue[str]:
    """The key under a label after an error, as a sentence, if the device still answers."""
    if not (yield from tty.recover()):
        return "The session was closed in the middle of the command; check the device before you run this again."
    try:
        return _now((yield from observe(tty)), label)
    except VpnKeysError:
        return "The key that is there now could not be read; check the device before you run this again."


def _said(text: str) -> str:
    found = screen.refusal(text)
    return f': the device said "{found.line}"' if found else ""


def _now(ring: KeyRing, label: Label, wanted: str = "") -> str:
    keys = ring.of(label)
    if not keys:
        return f"There is no key {label} on it now."
    if wanted and identity(keys) != wanted:
        return f"Under {label} is {named(identity(keys))}, not {named(wanted)}."
    return f"Under {label} is {named(identity(keys))}."
