# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of what IOS shows. PRIVATE to the collection.

Each reader takes any text and either returns what is listed there or raises VpnKeysError("unreadable"). Echo,
prompts, CRLF, paging remnants and log messages in the middle of the output do no harm.

Sources: "seen" means a transcript of a device, "guess" that no transcript is known.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from .._errors import VpnKeysError
from .._fingerprint import fingerprint
from . import pem
from .labels import Label
from .pem import Exported, Usage

GroupKind = Literal["gdoi", "gkm"]

# -- noise ---------------------------------------------------------------------------------------------------

_DATE = (
    r"[*.]?[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?"
    r"(?: [A-Za-z][\w+-]{0,7})?(?: \d{4})?: "
)
_UPTIME = r"(?:\d{1,4}[dwy]\d{1,2}[hdw]|\d{2}:\d{2}:\d{2}): "
_FACILITY = r"%[A-Za-z]\w{0,40}(?:-\w{1,40}){0,4}?-[0-7]-\w{1,60}(?:-\d{1,8})?: ?"
# Of 2026: asked for by nobody, and without a facility. The leading space is theirs.
_WARNINGS = (
    r"SECURITY WARNING - Module: |INSECURE DYNAMIC WARNING - Module: |%?RSA key size needs to be at ?least "
)
# A sequence number has six digits and may stand right behind hex, which it must not swallow.
_LOG_MESSAGE = re.compile(
    rf"(?:^[ \t]{{1,8}})?(?:\d{{6}}: )?(?:{_DATE}|(?:{_UPTIME})?(?:{_FACILITY})|{_WARNINGS})[^\n]*\n?"
    r"|^-(?:Traceback|Process)= [^\n]*\n?",
    re.MULTILINE,
)
# Quick looks: this runs for every piece that arrives. A pattern that begins with a literal is found fast.
_LOG_HINTS = (re.compile(r"%[A-Za-z]"), re.compile(r":\d{2}(?:\.\d{1,6})?(?: [A-Za-z][\w+-]{0,7})?(?: \d{4})?: "))
_LOG_WORDS = ("WARNING - ", "key size needs", "-Traceback=", "-Process=")

MORE = r" ?--More-- ?"
_MORE_REMNANT = re.compile(r" ?--More-- ?(?:\r *\r|\x08{1,80} {0,80}\x08{0,80})?")
_LINE_END = re.compile(r"\r{1,4}\n|\r")


def strip_noise(text: str) -> str:
    """What the device was asked for, with LF: no paging, no corrected typing, no log messages.

    A log message goes with its line end; what stood before it stays, and the next line continues it.
    The device's own messages ("% " and a text) stay.
    """
    text = text.replace("\x00", "").replace("\x07", "")
    if "--More--" in text:
        text = _MORE_REMNANT.sub("", text)
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    if "\b" in text:
        text = _backspaced(text)
    if any(word in text for word in _LOG_WORDS) or any(hint.search(text) for hint in _LOG_HINTS):
        text = _LOG_MESSAGE.sub("", text)
    return text


def _backspaced(text: str) -> str:
    kept: list[str] = []
    for char in text:
        if char != "\b":
            kept.append(char)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)


# -- prompts and questions: patterns without anchors, to be looked for at the end of what was printed --------

_HOST = r"[\w.+:/\[\]-]"
_MODE = r"(?:\([^()\s]{1,60}\)){0,3}[>#]"
ANY_PROMPT = rf"{_HOST}{{1,64}}{_MODE}"
# IOS shows fewer characters of a long host name, the deeper the mode is.
SHOWN_HOST_NAME = 10
PROMPT_REST = rf"{_HOST}{{0,64}}{_MODE}"

LOGIN_QUESTION = r"(?:[Uu]sername|[Ll]ogin): ?"
PASSWORD_QUESTION = r"[Pp]assword: ?"
REPLACE_QUESTION = r"replace them\? *\[yes/no\]: ?"
REMOVE_QUESTION = r"remove these keys\? *\[yes/no\]: ?"
MODULUS_QUESTION = r"How many bits in the modulus *\[\d{1,6}\]: ?"
_QUIT = r"[\"']quit[\"'] on a line by itself\."
PUBLIC_PEM_PROMPT = rf"Enter PEM-formatted public [^\n]{{1,80}}\n\s*% End with a blank line or {_QUIT}"
PRIVATE_PEM_PROMPT = rf"Enter PEM-formatted (?:encrypted )?private [^\n]{{1,80}}\n\s*% End with {_QUIT}"
DESTINATION_QUESTION = r"Destination filename *\[[^\]\n]{0,200}\]\? ?"
OVERWRITE_NVRAM_QUESTION = r"Overwrite the previous NVRAM configuration\? ?\[confirm\] ?"
# "[yes/no]: ", "[confirm]", "[512]: ", "Destination filename [x]? ", "Password: ", and the paste questions.
ANY_QUESTION = r"(?:\[[^\]\n]{0,200}\] ?[:?]?|[^\s:][:?]|on a line by itself\.) ?"

_MODULUS_RANGE = re.compile(r"in the range of\s{1,4}(\d{1,6})\s{1,4}to\s{1,4}(\d{1,6})\b")
_PROMPT_PARTS = re.compile(rf"({_HOST}{{1,64}}?){_MODE}")


def host_of(prompt: str) -> str:
    """The host name in a prompt; empty where there is none."""
    found = _PROMPT_PARTS.fullmatch(prompt.strip())
    return found[1] if found else ""


def modulus_range(text: str) -> tuple[int, int] | None:
    """What "Choose the size of the key modulus in the range of 360 to 4096" offers."""
    found = _MODULUS_RANGE.search(strip_noise(text))
    return (int(found[1]), int(found[2])) if found else None


# -- closing lines: success is one of these, never the absence of a complaint --------------------------------

_OK = re.compile(r"\[OK\]")
_BACKGROUND = re.compile(r"^\s*% Generating crypto RSA keys in background", re.MULTILINE)
_IMPORTED = re.compile(r"^\s*% Key pair import succeeded\.", re.MULTILINE)
_PRIVILEGE = re.compile(r"Current privilege level is (\d{1,2})\b")


def generation(text: str) -> Literal["done", "background"] | None:
    """How `crypto key generate` ended. "background": the key is still being made, and must be looked for."""
    text = strip_noise(text)
    if _BACKGROUND.search(text):
        return "background"
    return "done" if _OK.search(text) else None


def imported(text: str) -> bool:
    return _IMPORTED.search(strip_noise(text)) is not None


def saved(text: str) -> bool:
    return _OK.search(strip_noise(text)) is not None


def read_privilege(text: str) -> int | None:
    found = _PRIVILEGE.search(strip_noise(text))
    return int(found[1]) if found else None


# -- refusals ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """What a device said instead of doing what it was asked. `line` holds no secret."""

    code: str
    line: str


COMMAND_UNKNOWN = frozenset({"ambiguous", "incomplete", "invalid_input", "unknown_command"})
COMMAND_REFUSED = COMMAND_UNKNOWN | {"not_authorized"}

# The first row that matches the beginning of a line decides.
_SEEN_REFUSALS = (
    (r"% ?Invalid input detected", "invalid_input"),
    (r"% ?Ambiguous command", "ambiguous"),
    (r"% ?Incomplete command", "incomplete"),
    (r"% ?(?:Unknown|Unrecognized) command", "unknown_command"),
    (r"(?:% ?)?(?:Command )?authori[sz]ation failed", "not_authorized"),
    (r"% ?(?:Bad secrets|Bad passwords?|Access denied|Error in authentication)", "bad_secret"),
    (r"% ?No password set", "no_secret"),
    (r"%.{0,200}\bis not exportable", "not_exportable"),
    (r"% ?Please define a (?:domain-?name|hostname)", "domain_name_missing"),
    (r"% ?They will be replaced", "will_be_replaced"),
    (r".{0,200}\bno space left", "no_space"),
    (r"(?:% ?)?Configuration (?:mode )?(?:is )?locked", "config_locked"),
    (r"(?:% ?)?Config mode cannot be entered", "config_locked"),
    # Seen for `crypto pki import`, the sister command:
    (r"(?:%.{0,200}\b)?unable to decode key", "undecodable"),
    (r"% ?(?:Key pair|PEM files) import failed", "import_failed"),
    (r"%.{0,200}\bis in use\b", "in_use"),
)
# No transcript is known for any of these.
_GUESSED_REFUSALS = (
    (r"%.{0,200}\bnot exportable", "not_exportable"),
    (r"%.{0,200}\bpass(?:phrase|word)\b.{0,80}\b(?:at ?least|minimum|short|characters)", "short_passphrase"),
    (r"%.{0,200}\b(?:bad|wrong|invalid|incorrect) pass(?:phrase|word)", "bad_passphrase"),
    (r"%.{0,200}\bpass(?:phrase|word) (?:is )?(?:bad|wrong|invalid|incorrect)", "bad_passphrase"),
    (r"%.{0,200}\b(?:unable to|failed to|cannot|could not|error in|error) decrypt", "bad_passphrase"),
    (r"%.{0,200}\b(?:mismatch|do(?:es)? not match)", "mismatch"),
    (r"%.{0,200}\balready (?:in use|exists?|defined)\b", "in_use"),
    (r"%.{0,200}\b(?:not found|does(?: not|n't) exist|no such)\b", "not_found"),
    (r"% ?No .{0,40}\bkeys?\b", "not_found"),
    (r"%.{0,200}\b(?:not enough|insufficient) (?:space|memory|room)", "no_space"),
    (r"%.{0,200}\bnvram.{0,40}\bfull\b", "no_space"),
    (r".{0,40}\bopen failed \(Device or resource busy\)", "busy"),
    (r"(?:% ?)?Configuration (?:mode )?is currently locked", "config_locked"),
    (r"% ?A decimal number between", "bad_number"),
)
_OTHER_REFUSALS = (
    (r"(?:% ?)?Command rejected", "other"),
    (r"%\S{0,3} ?Error", "other"),
    (r"% [^%]", "other"),
)
_REFUSALS = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (*_SEEN_REFUSALS, *_GUESSED_REFUSALS, *_OTHER_REFUSALS)
)
_ALREADY_THERE = re.compile(r"% You already have \w{1,6} keys defined", re.IGNORECASE)
_AND_THEN = re.compile(r"% (?:They will be replaced|Do you really want)", re.IGNORECASE)

# Messages with "% " that come while a device does what it was asked.
_REMARK = re.compile(
    r"% (?:Key name:|Key pair was generated|Key pair import succeeded|The key modulus size|Generating \w|Importing \w|"
    r"Enter PEM|End with|Keys to be removed|All \w+ certs issued|All (?:RSA )?keys will be removed|"
    r"Do you really want|You already have|Please answer|Choose the size|Warning\b)",
    re.IGNORECASE,
)
# A quick look before the long table: every refusal begins with "%" or holds one of these.
_REFUSAL_WORDS = ("authori", "unable to decode", "locked", "cannot be", "rejected", "no space", "open failed")


def refusal(text: str) -> Refusal | None:
    """The first thing in an output that says "no"; None where there is none, which proves nothing."""
    text = strip_noise(text)
    lines = [line.strip() for line in text.split("\n")]
    lowered = text.lower()
    only_percent = not any(word in lowered for word in _REFUSAL_WORDS)
    for number, line in enumerate(lines):
        if only_percent and not line.startswith("%"):
            continue
        following = lines[number + 1 : number + 4]
        if _ALREADY_THERE.match(line) and not any(map(_AND_THEN.match, following)):
            return Refusal("in_use", quote(line))
        if _REMARK.match(line):
            continue
        for pattern, code in _REFUSALS:
            if pattern.match(line):
                return Refusal(code, quote(line))
    return None


_SECRETS = (
    (re.compile(r"(pass ?phrase|password|secret)\b(?! set\b)(?=.*\S).*", re.IGNORECASE), r"\1 ..."),
    (re.compile(r"\b(3des|des|aes|terminal|url) +\S.*", re.IGNORECASE), r"\1 ..."),
    (re.compile(r"[A-Za-z0-9+/]{20,}={0,2}"), "..."),
)
_QUOTED = 160


def quote(line: str) -> str:
    """A line of the device fit for an error message: one line, short, nothing in it that could be secret."""
    line = " ".join("".join(char if char.isprintable() else " " for char in line[: 4 * _QUOTED]).split())
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line if len(line) <= _QUOTED else line[: _QUOTED - 4] + " ..."


def _unreadable(message: str) -> NoReturn:
    raise VpnKeysError("unreadable", message)


def _expect_no_refusal(text: str, what: str) -> None:
    """Where nothing was listed: the device must not have refused to list."""
    found = refusal(text)
    if found and found.code != "not_found":
        _unreadable(f'The device did not show {what}: "{found.line}".')


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
_NOT_SAVED = "not specified"
_KEY_GENERATED = re.compile(r"% Key pair was generated at: *(.*)")
_KEY_FIELD = re.compile(r"(Key name|Key type|Storage Device|On Cryptographic Device|Usage): *(.*)")
_KEY_EXPORTABLE = re.compile(r"Key is (not )?exportable\b")
_HEX = re.compile(r"[0-9A-Fa-f]{1,8}(?: [0-9A-Fa-f]{1,8})*")


def read_rsa_keys(text: str) -> tuple[RsaKey, ...]:
    """`show crypto key mypubkey rsa` (or `all`): the RSA keys, temporary ones included."""
    keys = []
    listed = False
    for block in _key_blocks(strip_noise(text)):
        listed = True
        key = _rsa_key(block)
        if key:
            keys.append(key)
    if not listed:
        _expect_no_refusal(text, "its RSA keys")
    return tuple(keys)


def _key_blocks(text: str) -> Iterator[dict[str, str]]:
    """The fields of each listed key; "data" holds its hex digits."""
    block: dict[str, str] = {}
    in_data = False
    for line in map(str.strip, text.split("\n")):
        if not line:
            continue
        if in_data and _HEX.fullmatch(line):
            block["data"] += line.replace(" ", "")
            continue
        in_data = False
        if found := _KEY_GENERATED.match(line):
            if block:
                yield block
            block = {"generated": found[1]}
        elif found := _KEY_FIELD.match(line):
            if found[1] == "Key name" and "Key name" in block:
                yield block
                block = {}
            block[found[1]] = found[2]
        elif line == "Key Data:":
            block["data"] = ""
            in_data = True
        elif line == "Temporary key":
            block["temporary"] = line
        elif found := _KEY_EXPORTABLE.match(line):
            block["exportable"] = "" if found[1] else "yes"
    if block:
        yield block


def _rsa_key(block: dict[str, str]) -> RsaKey | None:
    label = block.get("Key name")
    if not label:
        _unreadable("The listing of RSA keys shows a key without a name.")
    if not block.get("Key type", "RSA KEYS").startswith("RSA KEYS"):
        return None
    usage = _KEY_USAGES.get(block.get("Usage", ""))
    if usage is None:
        _unreadable(f"The listing of RSA keys shows no known usage for key {label[:80]!r}.")
    try:
        spki = bytes.fromhex(block.get("data", ""))
        modulus, _exponent = pem.rsa_numbers(spki)
    except ValueError:
        _unreadable(f"The listing of RSA keys shows no whole public key for {label[:80]!r}.")
    storage = block.get("Storage Device") or block.get("On Cryptographic Device")
    return RsaKey(
        label=label,
        usage=usage,
        bits=modulus.bit_length(),
        exportable=bool(block.get("exportable")),
        storage=storage,
        saved=storage != _NOT_SAVED if storage else None,
        temporary="temporary" in block,
        generated=block.get("generated") or None,
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
    r"\s*Proc-Type: *4,ENCRYPTED\s+DEK-Info: *([A-Z0-9-]{1,20}),([0-9A-Fa-f]{16,32})\s*\n([A-Za-z0-9+/=\s]+)"
)


def read_export(text: str) -> Exported:
    """The two PEM blocks that `crypto key export rsa ... pem terminal` prints, wherever they stand.

    IOS XE glues `base64 len N` to the second one. Both come back with LF, 64 columns, and the blank line that
    an encrypted PEM needs behind its head.
    """
    text = strip_noise(text)
    if text.count("-----BEGIN PUBLIC KEY-----") > 1 or text.count("-----BEGIN RSA PRIVATE KEY-----") > 1:
        _unreadable("The export shows more than one key pair; a pair of usage keys cannot be carried over.")
    public = _pem_body(text, "PUBLIC KEY")
    private = _pem_body(text, "RSA PRIVATE KEY")
    try:
        spki = _base64(public)
        pem.rsa_numbers(spki)
    except ValueError:
        _unreadable("The export shows a public key that is damaged or truncated.")
    headers = _PRIVATE_HEADERS.fullmatch(private)
    if not headers:
        _unreadable("The export shows a private key that is not encrypted, or damaged.")
    try:
        sealed = _base64(headers[3])
    except ValueError:
        _unreadable("The export shows a private key that is damaged or truncated.")
    found = re.search(r"^\s*Usage: *(\w+ (?:Purpose )?Key)", text, re.MULTILINE)
    return Exported(
        public_pem=pem.public_pem(spki),
        private_pem=pem.private_pem(sealed, headers[1], headers[2].upper()),
        usage=_KEY_USAGES.get(found[1]) if found else None,
    )


def _pem_body(text: str, kind: str) -> str:
    begin, end = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    _before, found, rest = text.partition(begin)
    if not found:
        _expect_no_refusal(text, "the key")
        _unreadable(f"The export shows no {kind.lower()} in PEM form.")
    body, found, _after = rest.partition(end)
    if not found or "-----" in body:
        _unreadable(f"The export shows a truncated {kind.lower()}.")
    return body


def _base64(text: str) -> bytes:
    data = base64.b64decode("".join(text.split()), validate=True)
    if not data:
        raise ValueError("nothing there")
    return data


# -- GET VPN: configuration ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """A GET VPN group as configured: seconds, addresses as written. A group member's is no `local_server`."""

    name: str
    kind: GroupKind
    identity: str | None = None
    label: str | None = None
    priority: int | None = None
    peers: tuple[str, ...] = ()
    address: str | None = None
    redundancy: bool = False
    rekey_lifetime: int | None = None
    rekey_algorithm: str | None = None
    rekey_transport: str | None = None
    sa_lifetimes: tuple[int, ...] = ()
    """Of the IPsec profiles that its SAs name, as far as the text shows those profiles."""
    local_server: bool = False


_GROUP = re.compile(r"crypto (gdoi|gkm) group (?:ipv6 )?(\S+)\s*")
_IPSEC_PROFILE = re.compile(r"crypto ipsec profile (\S+)\s*")
_GROUP_LINES = {
    "identity": re.compile(r"identity (?:number|address ipv[46]) (\S+)"),
    "label": re.compile(r"rekey authentication mypubkey rsa (\S+)"),
    "priority": re.compile(r"local priority (\d{1,9})"),
    "address": re.compile(r"address ipv[46] (\S+)"),
    "seconds": re.compile(r"rekey lifetime seconds (\d{1,9})"),
    "days": re.compile(r"rekey lifetime days (\d{1,9})"),
    "rekey_algorithm": re.compile(r"rekey algorithm (\S.*)"),
    "rekey_transport": re.compile(r"rekey transport (\S+)"),
}
_GROUP_PEER = re.compile(r"peer address ipv[46] (\S+)")
_GROUP_PROFILE = re.compile(r"profile (\S+)")
_SA_LIFETIME = re.compile(r"set security-association lifetime seconds (\d{1,9})")


def read_groups(running_config: str) -> tuple[Group, ...]:
    """The GET VPN groups in a running configuration, or in its section `crypto g`."""
    blocks = list(_config_blocks(strip_noise(running_config)))
    lifetimes: dict[str, int] = {}
    for head, lines in blocks:
        if profile := _IPSEC_PROFILE.fullmatch(head):
            for line in lines:
                if found := _SA_LIFETIME.match(line):
                    lifetimes[profile[1]] = int(found[1])
    heads = [(_GROUP.fullmatch(head), lines) for head, lines in blocks]
    groups = tuple(_group(head, lines, lifetimes) for head, lines in heads if head)
    if not groups:
        _expect_no_refusal(running_config, "its GET VPN groups")
    return groups


def _config_blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Top-level lines of a configuration with the lines indented under them."""
    head, lines = "", list[str]()
    for line in text.split("\n"):
        if not line.strip():
            continue
        if line[0].isspace():
            lines.append(line.strip())
        else:
            if head:
                yield head, lines
            head, lines = line.rstrip(), []
    if head:
        yield head, lines


def _group(head: re.Match[str], lines: list[str], lifetimes: dict[str, int]) -> Group:
    values: dict[str, str] = {}
    for line in lines:
        for name, pattern in _GROUP_LINES.items():
            if found := pattern.match(line):
                values[name] = found[1]
    profiles = [found[1] for line in lines if (found := _GROUP_PROFILE.fullmatch(line))]
    rekey_lifetime = int(values["days"]) * 86400 if "days" in values else _number(values.get("seconds"))
    return Group(
        name=head[2],
        kind="gkm" if head[1] == "gkm" else "gdoi",
        identity=values.get("identity"),
        label=values.get("label"),
        priority=_number(values.get("priority")),
        peers=tuple(found[1] for line in lines if (found := _GROUP_PEER.match(line))),
        address=values.get("address"),
        redundancy="redundancy" in lines,
        rekey_lifetime=rekey_lifetime,
        rekey_algorithm=values.get("rekey_algorithm"),
        rekey_transport=values.get("rekey_transport"),
        sa_lifetimes=tuple(lifetimes[profile] for profile in profiles if profile in lifetimes),
        local_server="server local" in lines,
    )


def _number(text: str | None) -> int | None:
    """None for nothing and for what is no number, such as `n/a`."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


# -- GET VPN: state ------------------------------------------------------------------------------------------

# One or more "name : value" on a line, parted by " , " or by two spaces.
_FIELD_BREAK = re.compile(r"[ \t]{1,40},[ \t]|(?:[ \t]{2}|\t)[ \t]*(?=[A-Za-z])")
_LONGEST_LINE = 1000


def _fields(line: str) -> Iterator[tuple[str, str]]:
    if len(line) > _LONGEST_LINE:
        return
    for part in _FIELD_BREAK.split(line):
        name, colon, value = part.partition(":")
        if colon:
            yield " ".join(name.split()).lower(), value.strip()


@dataclass(frozen=True)
class CoopPeer:
    address: str
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    ike: str | None = None


@dataclass(frozen=True)
class Coop:
    """How one key server sees the cooperation for one group. Without redundancy there is nothing but that."""

    redundancy: bool = True
    address: str | None = None
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    peers: tuple[CoopPeer, ...] = ()


_NO_REDUNDANCY = re.compile(r"\*NO\*\s+redundancy configured", re.IGNORECASE)
_COOP_GROUP = re.compile(r"crypto (?:gdoi|gkm) group name")


def read_coop(text: str) -> dict[str, Coop]:
    """`show crypto gdoi ks coop` and its gkm and detail forms: cooperation by group name."""
    groups: dict[str, tuple[dict[str, str], list[dict[str, str]]]] = {}
    own: dict[str, str] = {}
    peers: list[dict[str, str]] = []
    for line in strip_noise(text).split("\n"):
        if _NO_REDUNDANCY.search(line):
            own["alone"] = "yes"
        for name, value in _fields(line):
            if _COOP_GROUP.fullmatch(name):
                if not value:
                    _unreadable("The COOP state shows a group without a name.")
                own, peers = {}, []
                groups[value] = (own, peers)
            elif name == "peer address" and value:
                peers.append({name: value})
            elif name.startswith("local "):
                own[name] = value
            elif peers:
                peers[-1].setdefault(name, value)
    if not groups:
        _expect_no_refusal(text, "its COOP state")
    return {name: _coop(own, peers) for name, (own, peers) in groups.items()}


def _coop(own: dict[str, str], peers: list[dict[str, str]]) -> Coop:
    return Coop(
        redundancy="alone" not in own,
        address=own.get("local address") or None,
        priority=_number(own.get("local priority")),
        role=_role(own.get("local ks role")),
        status=own.get("local ks status") or None,
        peers=tuple(
            CoopPeer(
                address=peer["peer address"],
                priority=_number(peer.get("peer priority")),
                role=_role(peer.get("peer ks role")),
                status=peer.get("peer ks status") or None,
                ike=peer.get("ike status") or None,
            )
            for peer in peers
        ),
    )


def _role(text: str | None) -> Literal["Primary", "Secondary"] | None:
    """Any other word ("Unknown", "N/A") is no role."""
    return "Primary" if text == "Primary" else "Secondary" if text == "Secondary" else None


@dataclass(frozen=True)
class Kek:
    """The key that protects rekeys. Seconds.

    `sig_key_bytes` is the length of the public key's DER; an old IOS 15 showed the bits of the modulus.
    """

    spi: str
    transport: str | None = None
    algorithm: str | None = None
    lifetime: int | None = None
    remaining: int | None = None
    time_to_rekey: int | None = None
    sig_hash: str | None = None
    sig_key_label: str | None = None
    sig_key_bytes: int | None = None
    sig_bytes: int | None = None
    acknowledgement: str | None = None


@dataclass(frozen=True)
class Tek:
    """A key that protects traffic. Seconds."""

    spi: str
    access_list: str | None = None
    transform: str | None = None
    lifetime: int | None = None
    remaining: int | None = None


@dataclass(frozen=True)
class Policy:
    """What a key server hands out for a group. Before the first key there is no KEK."""

    group: str
    server: str | None = None
    kek: Kek | None = None
    teks: tuple[Tek, ...] = ()


_POLICY_GROUP = re.compile(r"For group (\S+)(?: \([^)\n]{0,60}\))?(?: server (\S+))?")
_KEK = re.compile(r"KEK POLICY(?: \(transport type *: *(\w+) *\))?")


def read_policy(text: str) -> tuple[Policy, ...]:
    """`show crypto gdoi ks policy` and its gkm form."""
    policies: list[tuple[str, str | None, list[dict[str, str]]]] = []
    parts: list[dict[str, str]] = []
    part: dict[str, str] = {}
    kind, transport = "", ""
    for line in map(str.strip, strip_noise(text).split("\n")):
        if found := _POLICY_GROUP.match(line):
            parts, part, kind = [], {}, ""
            policies.append((found[1].rstrip(":"), found[2].rstrip(":") if found[2] else None, parts))
        elif found := _KEK.match(line):
            part, kind, transport = {}, "kek", found[1] or ""
        elif line.startswith("TEK POLICY"):
            part, kind, transport = {}, "tek", ""
        else:
            for name, value in _fields(line):
                if name == "spi" and kind and value:
                    part = {"kind": kind, "transport": transport}
                    parts.append(part)
                part.setdefault(name, value)
    if not policies:
        _expect_no_refusal(text, "its GET VPN policy")
    return tuple(_policy(*policy) for policy in policies)


def _policy(group: str, server: str | None, parts: list[dict[str, str]]) -> Policy:
    keks = [part for part in parts if part["kind"] == "kek"]
    return Policy(
        group=group,
        server=server,
        kek=_kek(keks[0]) if keks else None,
        teks=tuple(_tek(part) for part in parts if part["kind"] == "tek"),
    )


def _kek(part: dict[str, str]) -> Kek:
    return Kek(
        spi=part["spi"],
        transport=part["transport"] or None,
        algorithm=part.get("encrypt alg") or None,
        lifetime=_number(part.get("orig life(sec)")),
        remaining=_number(part.get("remaining life(sec)")),
        time_to_rekey=_number(part.get("time to rekey (sec)")),
        sig_hash=part.get("sig hash algorithm") or None,
        sig_key_label=part.get("sig key name") or None,
        sig_key_bytes=_number(part.get("sig key length")),
        sig_bytes=_number(part.get("sig size")),
        acknowledgement=part.get("acknowledgement") or None,
    )


def _tek(part: dict[str, str]) -> Tek:
    return Tek(
        spi=part["spi"],
        access_list=part.get("access-list") or None,
        transform=part.get("transform") or None,
        lifetime=_number(part.get("tek life(sec)") or part.get("orig life(sec)")),
        remaining=_number(part.get("remaining life(sec)")),
    )


@dataclass(frozen=True)
class Member:
    """A group member as its key server knows it."""

    address: str
    group: str
    state: str | None = None
    key_server: str | None = None
    version: str | None = None
    rekeys_sent: int | None = None
    rekey_retries: int | None = None
    acks_received: int | None = None
    acks_missed: int | None = None


def read_members(text: str) -> tuple[Member, ...]:
    """`show crypto gdoi ks members` and its gkm form."""
    found: list[dict[str, str]] = []
    for line in strip_noise(text).split("\n"):
        for name, value in _fields(line):
            if name == "group member id":
                found.append({name: value})
            elif found:
                found[-1].setdefault(name, value)
    if not found:
        _expect_no_refusal(text, "its group members")
    return tuple(_member(fields) for fields in found)


def _member(fields: dict[str, str]) -> Member:
    address, group = fields["group member id"], fields.get("group name")
    if not address or not group:
        _unreadable("The list of group members shows one without an address or without a group.")
    return Member(
        address=address,
        group=group,
        state=fields.get("gm state") or None,
        key_server=fields.get("key server id") or None,
        version=fields.get("gm version") or None,
        rekeys_sent=_number(fields.get("rekeys sent")),
        rekey_retries=_number(fields.get("rekeys retries")),
        acks_received=_number(fields.get("rekey acks rcvd")),
        acks_missed=_number(fields.get("rekey acks missed")),
    )
