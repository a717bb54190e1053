# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""crypto key generate | export | import | zeroize | move, and show crypto key mypubkey."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from . import pem
from .device import USAGES, Part, StoredKey
from .grammar import Args

if TYPE_CHECKING:
    from .device import Device
    from .shell import Action, Shell

_KINDS = {"usage-keys": "usage", "signature": "signature", "encryption": "encryption"}


# -- generate


async def generate(shell: Shell, args: Args) -> None:
    """`crypto key generate rsa ...`."""
    device = shell.device
    p = device.personality
    label = args.get("label") or _default_label(shell)
    if not label:
        return
    usages = USAGES[_KINDS.get(args.get("usage", ""), "general")]
    modulus: int | None = args.get("modulus")
    background = p.background_generation and shell.mode == "exec"
    if p.generate_hidden and shell.mode != "exec":
        device.say_log("log_hidden", command=_masked(shell, label))
    if label in device.keys:
        shell.say("already_have", label=label)
        if modulus is None:
            if not await shell.ask_yes_no(p.text("really_replace")):
                return
        else:
            shell.say("will_be_replaced")
            shell.term.write("\n")
    else:
        shell.say("key_name", label=label)
        if modulus is not None and not background:
            shell.term.write("\n")
    exportable = bool(args.get("exportable"))
    parts: list[Part] = []
    for usage in usages:
        bits = modulus if modulus is not None else await _ask_bits(shell, usage)
        if bits is None:
            return
        if background:
            shell.say("modulus_size", bits=bits)
            shell.say("in_background")
            task = asyncio.create_task(_in_background(device, label, usages, bits, exportable))
            device.tasks.add(task)
            task.add_done_callback(device.tasks.discard)
            return
        if modulus is not None and not parts:
            shell.say("modulus_size", bits=bits)
        shell.say("generating", bits=bits, exportable="exportable" if exportable else "non-exportable")
        started = time.monotonic()
        await shell.term.flush()
        if device.faults.generate_fails:
            shell.term.write("\n")
            _fail(shell, device.faults.generate_fails, "generate_failed")
            return
        await asyncio.sleep(device.faults.generation_seconds)
        key = await device.make_key(bits)
        parts.append(Part(usage, key, device.now()))
        shell.say("generated", seconds=int(time.monotonic() - started))
    device.store(StoredKey(label, tuple(parts), exportable))


async def _in_background(device: Device, label: str, usages: tuple[str, ...], bits: int, exportable: bool) -> None:
    """Generate while the prompt is back already. Nothing is there until the end."""
    await asyncio.sleep(max(device.faults.generation_seconds, device.personality.background_seconds))
    if device.faults.generate_fails or not device.alive:
        return
    parts = [Part(usage, await device.make_key(bits), device.now()) for usage in usages]
    device.store(StoredKey(label, tuple(parts), exportable))


def _default_label(shell: Shell) -> str:
    """The FQDN, or an empty string after a complaint."""
    config = shell.device.config
    if config.hostname == "Router":
        shell.say("define_hostname")
        return ""
    if not config.domain:
        shell.say("define_domain")
        return ""
    return f"{config.hostname}.{config.domain}"


def _masked(shell: Shell, label: str) -> str:
    """The command as the parser logs it: the label is hidden."""
    typed = shell.typed().split()
    return " ".join("*" if word == label else word for word in typed)


async def _ask_bits(shell: Shell, usage: str) -> int | None:
    """The question for the modulus; None when the user broke off."""
    p = shell.device.personality
    shell.say("choose_modulus", low=p.modulus_low, high=p.modulus_high, usage=usage)
    while True:
        answer = await shell.ask(p.text("how_many_bits", default=p.modulus_default))
        if answer is None:
            return None
        text = answer.strip()
        if not text:
            return p.modulus_default
        if text.isascii() and text.isdigit() and len(text) < 6 and p.modulus_low <= int(text) <= p.modulus_high:
            return int(text)
        shell.say("not_a_number", low=p.modulus_low, high=p.modulus_high)


def _fail(shell: Shell, fault: bool | str, name: str) -> None:
    if isinstance(fault, str):
        shell.term.write(fault.rstrip("\n") + "\n")
    else:
        shell.say(name)


def _too_short(shell: Shell, passphrase: str | None) -> bool:
    if passphrase is None or len(passphrase) >= 8 or shell.device.personality.short_passphrase == "accept":
        return False
    shell.say("short_passphrase")
    return True


# -- export


async def export(shell: Shell, args: Args) -> None:
    """`crypto key export rsa L pem {terminal | url URL} CIPHER PASSPHRASE`."""
    device = shell.device
    label = args["label"]
    stored = device.keys.get(label)
    if stored is None:
        shell.say("export_missing", label=label)
        return
    if not stored.exportable:
        shell.say("not_exportable", label=label)
        return
    if _too_short(shell, args["passphrase"]):
        return
    if device.faults.export_fails:
        _fail(shell, device.faults.export_fails, "export_failed")
        return
    if "url" in args:
        await _export_files(shell, stored, args)
        return
    await shell.show("".join(_exported(shell, stored, part, args) for part in stored.parts))


def _exported(shell: Shell, stored: StoredKey, part: Part, args: Args) -> str:
    p = shell.device.personality
    private, size = pem.private_pem(part.key, args["cipher"], args["passphrase"])
    head = p.text("export_head", label=stored.label, usage=part.usage) + p.text("export_data")
    between = f"\nbase64 len {size}" if p.base64_len else ""
    return head + pem.public_pem(part.key) + between + private


async def _export_files(shell: Shell, stored: StoredKey, args: Args) -> None:
    device = shell.device
    text = device.personality.text
    for part in stored.parts:
        suffix = {"Signature": "-sign", "Encryption": "-encr"}.get(part.usage, "")
        shell.say("export_head", label=stored.label, usage=part.usage)
        private, dummy = pem.private_pem(part.key, args["cipher"], args["passphrase"])
        for ending, say, content in (
            (".pub", "export_url_public", pem.public_pem(part.key)),
            (".prv", "export_url_private", private),
        ):
            shell.say(say)
            answer = await shell.ask(text("destination", name=stored.label + suffix + ending))
            if answer is None:
                return
            file = args["url"] + (answer.strip() or stored.label + suffix + ending)
            device.files[file] = content
            shell.say("writing_file", file=file)


# -- import


async def import_key(shell: Shell, args: Args) -> None:
    """`crypto key import rsa L ... {terminal | url URL} [PASSPHRASE]`: two pastes, then the verdict."""
    device = shell.device
    p = device.personality
    label, passphrase = args["label"], args.get("passphrase")
    if _too_short(shell, passphrase):
        return
    taken = label in device.keys
    if taken and p.import_existing == "refuse":
        shell.say("import_in_use", label=label)
        return
    if taken and p.import_existing == "ask":
        shell.say("already_have", label=label)
        if not await shell.ask_yes_no(p.text("really_replace")):
            return
    parts: list[Part] = []
    for usage in USAGES[_KINDS.get(args.get("usage", ""), "general")]:
        part = await (
            _from_files(shell, args, usage) if "from_url" in args else _from_terminal(shell, passphrase, usage)
        )
        if part is None:
            return
        parts.append(part)
    if device.faults.import_fails:
        _fail(shell, device.faults.import_fails, "import_failed")
        return
    if label in device.keys and p.import_existing == "refuse_at_end":
        shell.say("import_in_use", label=label)
        return
    device.store(StoredKey(label, tuple(parts), bool(args.get("exportable"))), "pki")
    shell.say("imported")


async def _from_terminal(shell: Shell, passphrase: str | None, usage: str) -> Part | None:
    """Both pastes of one key pair; None after a failure was reported or the user broke off."""
    p = shell.device.personality
    accepted = _accepted(shell)
    shell.say("paste_public", usage=usage)
    public = await _paste_public(shell)
    if public is None:
        return None
    if p.import_bad_public == "at_once":
        try:
            pem.read_public(public)
        except pem.BadPem:
            shell.say("import_bad_public")
            return None
    shell.say("paste_private" if passphrase is not None else "paste_plain_private", usage=usage)
    private: list[str] = []
    while True:
        line = await shell.paste()
        if line.ended_by != "enter":
            return None
        text = _pasted(shell, line.text)
        if text == "quit":
            break
        if not private and not text:
            continue
        private.append(text)
        if p.import_bad_private == "at_line":
            if not pem.acceptable_line(len(private) - 1, text, accepted):
                shell.say("import_bad_private")
                return None
            if text.startswith("-----END") and _decoded(shell, public, private, passphrase, usage) is None:
                return None
    return _decoded(shell, public, private, passphrase, usage)


async def _paste_public(shell: Shell) -> list[str] | None:
    lines: list[str] = []
    while True:
        line = await shell.paste()
        if line.ended_by != "enter":
            return None
        text = _pasted(shell, line.text)
        if text in ("", "quit"):
            return lines
        lines.append(text)


def _pasted(shell: Shell, text: str) -> str:
    return text.rstrip() if shell.device.personality.pem_trailing_space == "accept" else text


def _accepted(shell: Shell) -> pem.Accepted:
    p = shell.device.personality
    return pem.Accepted(p.import_aes, p.import_openssl_aes == "accept", p.import_plain_with_passphrase == "accept")


def _decoded(shell: Shell, public: list[str], private: list[str], passphrase: str | None, usage: str) -> Part | None:
    """The key pair, or None after saying what is wrong with it."""
    try:
        spki = pem.read_public(public)
    except pem.BadPem:
        shell.say("import_bad_public")
        return None
    try:
        key = pem.read_private(private, passphrase, _accepted(shell))
    except pem.WrongPassphrase:
        shell.say("import_wrong_passphrase")
        return None
    except pem.BadPem:
        shell.say("import_bad_private")
        return None
    if key.spki != spki:
        shell.say("import_mismatch")
        return None
    return Part(usage, key, shell.device.now())


async def _from_files(shell: Shell, args: Args, usage: str) -> Part | None:
    device = shell.device
    suffix = {"Signature": "-sign", "Encryption": "-encr"}.get(usage, "")
    found: list[list[str]] = []
    for ending, say in ((".pub", "import_url_public"), (".prv", "import_url_private")):
        shell.say(say, usage=usage)
        name = args["label"] + suffix + ending
        answer = await shell.ask(device.personality.text("source", name=name))
        if answer is None:
            return None
        file = args["url"] + (answer.strip() or name)
        if file not in device.files:
            shell.say("no_such_file", file=file)
            return None
        shell.say("reading_file", file=file)
        found.append(device.files[file].splitlines())
    return _decoded(shell, found[0], found[1], args.get("passphrase"), usage)


# -- zeroize, move


async def zeroize(shell: Shell, args: Args) -> None:
    """`crypto key zeroize [rsa [L]]`. Without a label: every key."""
    device = shell.device
    p = device.personality
    label = args.get("label")
    missing = label not in device.keys if label else not device.keys
    if missing and p.zeroize_missing != "question":
        if p.zeroize_missing == "text":
            shell.say("zeroize_missing", label=label)
        return
    if label:
        shell.say("zeroize_named", label=label)
    else:
        shell.say("zeroize_all" if p.zeroize_all_says == "all" else "zeroize_all_rsa")
    shell.say("zeroize_certs")
    if await shell.ask_yes_no(p.text("zeroize_sure")):
        for name in [label] if label else list(device.keys):
            if name in device.keys:
                device.remove(name)


async def move(shell: Shell, args: Args) -> None:
    """`crypto key move rsa L non-exportable`: for good."""
    if args["label"] not in shell.device.keys:
        shell.say("move_missing", label=args["label"])
        return
    shell.device.change(args["label"], exportable=False)
    shell.device.dirty = True


# -- show


async def show_keys(shell: Shell, args: Args) -> None:
    """`show crypto key mypubkey {all | rsa [L]}`."""
    device = shell.device
    label = args.get("label")
    shown = [key for key in device.shown_keys() if label in (None, key.label)]
    if label and not shown and device.personality.show_missing == "text":
        shell.say("show_missing", label=label)
        return
    await shell.show("".join(listing(device, key) for key in shown))


def listing(device: Device, stored: StoredKey) -> str:
    """The lines of one label."""
    p = device.personality
    temporary = stored is device.temporary
    out = []
    for part in stored.parts:
        export = "Key is exportable." if stored.exportable else "Key is not exportable."
        redundancy = " Redundancy enabled." if p.show_redundancy and not temporary else ""
        out.append(
            f"% Key pair was generated at: {part.created.strftime('%H:%M:%S UTC %b')} "
            f"{part.created.day} {part.created.year}\n"
            f"Key name: {stored.label}\n{_type_and_storage(device, stored, part)} Usage: {part.usage} Key\n"
            f" {export}{redundancy}\n Key Data:\n{part.key.hex_lines}"
        )
    return "".join(out)


def _type_and_storage(device: Device, stored: StoredKey, part: Part) -> str:
    """What old releases do not show."""
    p = device.personality
    if p.key_listing == "old":
        return ""
    bits = f"      {part.key.bits} bits" if p.show_bits else ""
    if stored is device.temporary:
        return f"Key type: RSA KEYS{bits}\nTemporary key\n"
    shown = {"on_save": stored.saved, "at_boot": stored.saved and stored.booted, "never": False}[p.show_saved]
    return f"Key type: RSA KEYS{bits}\n Storage Device: {'private-config' if shown else 'not specified'}\n"


ACTIONS: dict[str, Action] = {
    "generate": generate,
    "export": export,
    "import": import_key,
    "zeroize": zeroize,
    "move": move,
    "show_keys": show_keys,
}
