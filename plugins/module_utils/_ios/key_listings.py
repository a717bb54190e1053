# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the RSA keys that IOS shows and exports. PRIVATE to the collection.

Each reader takes any text and either returns what is listed there or raises VpnKeysError("unreadable"). Echo,
prompts, CRLF, paging remnants and log messages in the middle of the output do no harm. Any other line makes it
unreadable: an answer is never shorter than what is there.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections import Counter
from dataclasses import dataclass, field

from .._errors import VpnKeysError
from .._fingerprint import fingerprint
from . import fields, pem
from .labels import Label
from .pem import Exported, Usage
from .screen import expect_no_refusal, is_echo, quote, refusal, strip_noise, unreadable

# -- RSA keys ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RsaKey:
    """One RSA key pair of a device, as far as it is public. Usage keys are two of them with one label."""

    label: str
    usage: Usage
    bits: int
    exportable: bool
    storage: str | None
    saved: bool | None
    """Whether a reload leaves it. None is "not known": `not specified` in a listing means no more than that, as many
    devices show it of saved keys, too."""
    temporary: bool
    generated: str | None
    """As shown. For an imported key the time of the import, so it never tells copies apart."""
    spki: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.spki)

    @property
    def public_key(self) -> str:
        return pem.public_pem(self.spki)


_KEY_USAGES: dict[str, Usage] = {
    "General Purpose Key": "general",
    "Signature Key": "signature",
    "Encryption Key": "encryption",
}
MOST_KEYS = 1_000
MOST_BITS = 16_384
"""IOS makes keys of up to 4096 bits."""
_SAVED = "private-config"
_HELPER_SUFFIX = ".server"
_KEY_LINES = {
    "generated": re.compile(r"% Key pair was generated at: *(.*)"),
    "name": re.compile(r"Key name: *(.*)"),
    "type": re.compile(r"Key type: *((?:RSA|EC) KEYS(?: .*)?)"),
    "storage": re.compile(r"Storage Device: *(.+)"),
    "hardware": re.compile(r"On Cryptographic Device: *(.+)"),
    "temporary": re.compile(r"(Temporary key)"),
    "usage": re.compile(r"Usage: *(.+)"),
    "exportable": re.compile(r"Key is ((?:not )?exportable)\.(?: [A-Z][a-z ]*\.)*"),
    "locked": re.compile(r"(\*\*\* The key is protected and (?:UN)?LOCKED\. \*\*\*)"),
    "data": re.compile(r"Key Data:()"),
}
"""Every line that IOS shows of a key, but for the digits."""
_HEX = re.compile(r"[0-9A-Fa-f]{1,8}(?: [0-9A-Fa-f]{1,8})*")
_SIZE = re.compile(r"RSA KEYS +([0-9]{1,5}) bits")


def read_rsa_keys(text: str) -> tuple[RsaKey, ...]:
    """`show crypto key mypubkey rsa` (or `all`): the RSA keys, temporary ones included.

    A line that IOS does not show of a key makes the listing unreadable: what it stands in the place of is not known.
    What no reader can notice: a key that is missing with all of its lines, and a changed character that makes another
    name, time or word of IOS.
    """
    keys = [key for key in map(_rsa_key, _key_blocks(text)) if key]
    listed = Counter(key.label for key in keys)
    marked = [
        dataclasses.replace(key, temporary=True) if listed[key.label] == 1 and _is_helper(key) else key for key in keys
    ]
    return fields.at_most(MOST_KEYS, marked, "RSA keys")


def _key_blocks(text: str) -> list[dict[str, str]]:
    """The fields of each listed key; "data" holds its hex digits."""
    blocks: list[dict[str, str]] = []
    digits: list[str] = []
    for line in map(str.strip, strip_noise(text).split("\n")):
        if not line or is_echo(line):
            continue
        block = blocks[-1] if blocks else {}
        if "data" in block and _HEX.fullmatch(line):
            digits.append(line.replace(" ", ""))
            continue
        field_, value = _key_line(line)
        if field_ == "generated" or (field_ == "name" and (not blocks or "name" in block)):
            _complete(block, digits)
            block, digits = {}, []
            blocks.append(block)
        if field_ is None or not blocks or field_ in block or "data" in block:
            _foreign(text, line, block)
        else:
            block[field_] = value
    if blocks:
        _complete(blocks[-1], digits)
    return blocks


def _key_line(line: str) -> tuple[str | None, str]:
    for field_, pattern in _KEY_LINES.items():
        if found := pattern.fullmatch(line):
            return field_, found[1]
    return None, ""


def _complete(block: dict[str, str], digits: list[str]) -> None:
    if "data" in block:
        block["data"] = "".join(digits)


def _foreign(text: str, line: str, block: dict[str, str]) -> None:
    """What is no part of a listing, or not in this place."""
    if not block:
        expect_no_refusal(text, "its RSA keys")
        if refusal(text):
            return
    of = f" of key '{fields.name(block['name'])}'" if block.get("name") else ""
    unreadable(f'The listing of RSA keys shows a line{of} that IOS does not show there: "{quote(line)}".')


def _rsa_key(block: dict[str, str]) -> RsaKey | None:
    label = block.get("name")
    if not label:
        unreadable("The listing of RSA keys shows a key without a name.")
    if re.search(r"\s|:\Z", label):
        unreadable(f"The listing of RSA keys shows a name that no key can have: {quote(label)!r}.")
    of_type = block.get("type", "RSA KEYS")
    if not of_type.startswith("RSA KEYS"):
        return None
    label = fields.name(label)
    usage = _KEY_USAGES.get(block.get("usage", ""))
    if usage is None:
        unreadable(f"The listing of RSA keys shows no known usage for key '{label}'.")
    if "exportable" not in block:
        unreadable(f"The listing of RSA keys does not show whether key '{label}' is exportable.")
    spki, bits = _public_key(label, block)
    size = _SIZE.fullmatch(of_type)
    if size and int(size[1]) != bits:
        unreadable(f"The listing of RSA keys shows a key of {bits} bits as one of {size[1]} for '{label}'.")
    storage = block.get("storage") or block.get("hardware")
    return RsaKey(
        label=label,
        usage=usage,
        bits=bits,
        exportable=block["exportable"] == "exportable",
        storage=fields.text(storage),
        saved=True if storage == _SAVED or "hardware" in block else None,
        temporary="temporary" in block,
        generated=fields.text(block.get("generated")),
        spki=spki,
    )


def _public_key(label: str, block: dict[str, str]) -> tuple[bytes, int]:
    try:
        spki = bytes.fromhex(block.get("data", ""))
        modulus, _exponent = pem.rsa_numbers(spki)
    except ValueError:
        unreadable(f"The listing of RSA keys shows no whole public key for '{label}'.")
    if modulus.bit_length() > MOST_BITS:
        unreadable(f"The listing of RSA keys shows more than {MOST_BITS} bits for key '{label}'.")
    return spki, modulus.bit_length()


def _is_helper(key: RsaKey) -> bool:
    """The key that SSH makes for itself: old IOS does not mark it. Nobody else has a key like that under such a name:
    an administrator's own is for general use, one of a pair, or exportable."""
    return key.label.endswith(_HELPER_SUFFIX) and key.usage == "encryption" and not key.exportable


@dataclass(frozen=True)
class KeyRing:
    """All RSA keys of one device at one moment. Gives the proofs that commands about a label demand."""

    keys: tuple[RsaKey, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the listing, without temporary keys."""
        return tuple(dict.fromkeys(key.label for key in self.keys if not key.temporary))

    def of(self, label: Label) -> tuple[RsaKey, ...]:
        return tuple(key for key in self.keys if key.label == label.name and not key.temporary)

    def free(self, label: Label) -> FreeLabel:
        """Raises VpnKeysError("in_use")."""
        return FreeLabel(label, self)

    def held(self, label: Label) -> HeldLabel:
        """Raises VpnKeysError("not_found")."""
        return HeldLabel(label, self)


@dataclass(frozen=True)
class FreeLabel:
    """Proof that nothing stood under a label, not even a temporary key. Making one is looking."""

    label: Label
    ring: KeyRing = field(repr=False)

    def __post_init__(self) -> None:
        _check_proof(self.label, self.ring)
        if any(key.label == self.label.name for key in self.ring.keys):
            raise VpnKeysError("in_use", f"There is a key {self.label} already.")


@dataclass(frozen=True)
class HeldLabel:
    """Proof that a key stood under a label. Making one is looking."""

    label: Label
    ring: KeyRing = field(repr=False)

    def __post_init__(self) -> None:
        _check_proof(self.label, self.ring)
        if not self.ring.of(self.label):
            raise VpnKeysError("not_found", f"There is no key {self.label}.")


def _check_proof(label: object, ring: object) -> None:
    if label.__class__ is not Label or ring.__class__ is not KeyRing:
        raise TypeError("a proof about a label is made from a Label and the KeyRing of a device")


# -- exported keys -------------------------------------------------------------------------------------------

_PRIVATE_HEADERS = re.compile(
    r"\s*Proc-Type: *4,ENCRYPTED\s+DEK-Info: *([A-Z0-9-]{1,20}),([0-9A-Fa-f]{16,32})[ \t]*\n([A-Za-z0-9+/=\s]+)"
)


def read_export(text: str) -> Exported:
    """The two PEM blocks that `crypto key export rsa ... pem terminal` prints, wherever they stand.

    IOS XE glues `base64 len N` to the second one. Both come back with LF, 64 columns, and the blank line that
    an encrypted PEM needs behind its head.
    """
    text = strip_noise(text)
    if text.count("-----BEGIN PUBLIC KEY-----") > 1 or text.count("-----BEGIN RSA PRIVATE KEY-----") > 1:
        unreadable("The export shows more than one key pair; a pair of usage keys cannot be copied.")
    public = _pem_body(text, "PUBLIC KEY")
    private = _pem_body(text, "RSA PRIVATE KEY")
    try:
        spki = _base64(public)
        pem.rsa_numbers(spki)
    except ValueError:
        unreadable("The export shows a public key that is damaged or truncated.")
    headers = _PRIVATE_HEADERS.fullmatch(private)
    if not headers:
        unreadable("The export shows a private key that is not encrypted, or damaged.")
    try:
        sealed = _base64(headers[3])
    except ValueError:
        unreadable("The export shows a private key that is damaged or truncated.")
    found = re.search(r"^[ \t]*Usage: *(\w{1,20} (?:Purpose )?Key)", text, re.MULTILINE)
    return Exported(
        public_pem=pem.public_pem(spki),
        private_pem=pem.private_pem(sealed, headers[1], headers[2].upper()),
        usage=_KEY_USAGES.get(found[1]) if found else None,
    )


def _pem_body(text: str, kind: str) -> str:
    begin, end = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    _before, found, rest = text.partition(begin)
    if not found:
        expect_no_refusal(text, "the key")
        unreadable(f"The export shows no {kind.lower()} in PEM form.")
    body, found, _after = rest.partition(end)
    if not found or "-----" in body:
        unreadable(f"The export shows a truncated {kind.lower()}.")
    return body


def _base64(text: str) -> bytes:
    if re.search(r"\S[ \t]+\S", text):
        raise ValueError("words, which no PEM has")
    data = base64.b64decode("".join(text.split()), validate=True)
    if not data:
        raise ValueError("nothing there")
    return data
