# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the RSA keys that IOS shows and exports. PRIVATE to the collection.

Each reader takes any text and either returns what is listed there or raises VpnKeysError("unreadable"). Echo,
prompts, CRLF, paging remnants and log messages in the middle of the output do no harm.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .._errors import VpnKeysError
from .._fingerprint import fingerprint
from . import fields, pem
from .labels import Label
from .pem import Exported, Usage
from .screen import expect_no_refusal, strip_noise, unreadable

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
    """Whether a reload leaves it. "not specified" means no: inferred from many listings, not documented."""
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
_NOT_SAVED = "not specified"
_KEY_GENERATED = re.compile(r"% Key pair was generated at: *(.*)")
_KEY_FIELD = re.compile(r"(Key name|Key type|Storage Device|On Cryptographic Device|Usage): *(.*)")
_KEY_EXPORTABLE = re.compile(r"Key is (not )?exportable\b")
_HEX = re.compile(r"[0-9A-Fa-f]{1,8}(?: [0-9A-Fa-f]{1,8})*")


def read_rsa_keys(text: str) -> tuple[RsaKey, ...]:
    """`show crypto key mypubkey rsa` (or `all`): the RSA keys, temporary ones included."""
    keys: list[RsaKey] = []
    listed = False
    for block in _key_blocks(strip_noise(text)):
        listed = True
        key = _rsa_key(block)
        if key:
            keys.append(key)
    if not listed:
        expect_no_refusal(text, "its RSA keys")
    return fields.at_most(MOST_KEYS, keys, "RSA keys")


def _key_blocks(text: str) -> Iterator[dict[str, str]]:
    """The fields of each listed key; "data" holds its hex digits."""
    block: dict[str, str] = {}
    digits: list[str] = []
    in_data = False
    for line in map(str.strip, text.split("\n")):
        if not line:
            continue
        if in_data and _HEX.fullmatch(line):
            digits.append(line.replace(" ", ""))
            continue
        in_data = False
        starts = _KEY_GENERATED.match(line)
        field_ = None if starts else _KEY_FIELD.match(line)
        if block and (starts or (field_ and field_[1] == "Key name" and "Key name" in block)):
            yield block | {"data": "".join(digits)}
            block, digits = {}, []
        if starts:
            block["generated"] = starts[1]
        elif field_:
            block[field_[1]] = field_[2]
        elif line == "Key Data:":
            in_data, digits = True, []
            block.setdefault("data", "")
        elif line == "Temporary key":
            block["temporary"] = line
        elif found := _KEY_EXPORTABLE.match(line):
            block["exportable"] = "" if found[1] else "yes"
    if block:
        yield block | {"data": "".join(digits)}


def _rsa_key(block: dict[str, str]) -> RsaKey | None:
    label = block.get("Key name")
    if not label:
        unreadable("The listing of RSA keys shows a key without a name.")
    if not block.get("Key type", "RSA KEYS").startswith("RSA KEYS"):
        return None
    usage = _KEY_USAGES.get(block.get("Usage", ""))
    label = fields.name(label)
    if usage is None:
        unreadable(f"The listing of RSA keys shows no known usage for key '{label}'.")
    try:
        spki = bytes.fromhex(block.get("data", ""))
        modulus, _exponent = pem.rsa_numbers(spki)
    except ValueError:
        unreadable(f"The listing of RSA keys shows no whole public key for '{label}'.")
    if modulus.bit_length() > MOST_BITS:
        unreadable(f"The listing of RSA keys shows more than {MOST_BITS} bits for key '{label}'.")
    storage = block.get("Storage Device") or block.get("On Cryptographic Device")
    return RsaKey(
        label=label,
        usage=usage,
        bits=modulus.bit_length(),
        exportable=bool(block.get("exportable")),
        storage=fields.text(storage),
        saved=storage != _NOT_SAVED if storage else None,
        temporary="temporary" in block,
        generated=fields.text(block.get("generated")),
        spki=spki,
    )


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
        unreadable("The export shows more than one key pair; a pair of usage keys cannot be carried over.")
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
    data = base64.b64decode("".join(text.split()), validate=True)
    if not data:
        raise ValueError("nothing there")
    return data
