# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only builder of command lines for IOS. PRIVATE to the collection.

Two commands of IOS destroy keys without asking twice, and cannot be made here:

* `crypto key generate rsa ... modulus N` replaces the key of a label silently. Lines made here never name the
  size: IOS then asks for it, and before that asks whether an existing key is to be replaced.
* `crypto key zeroize rsa` without a label removes every key. The one line made here ends in a label that a
  listing of the device showed.

Everything that acts on a label demands a proof that somebody looked: FreeLabel or HeldLabel, which only a
KeyRing that was read from the device gives.
"""

from __future__ import annotations

import re
import secrets
import string

from .._errors import VpnKeysError
from .getvpn_config import GroupKind
from .key_listings import FreeLabel, HeldLabel
from .labels import Label
from .pem import Usage

# -- looking -------------------------------------------------------------------------------------------------


def terminal_setup() -> tuple[str, ...]:
    """Lines that make output readable by programs; a refusal of any of them does no harm.

    Width 512 is the most that every release takes (not every one takes 0); no line of ours or theirs is that long.
    """
    return ("terminal length 0", "terminal width 512", "terminal no monitor")


def show_keys() -> str:
    """All keys, never one label: what IOS prints for a missing label is not known."""
    return "show crypto key mypubkey rsa"


def show_keys_in_config() -> str:
    """The same from configuration mode, so that nothing is sent between this look and a command about a key."""
    return f"do {show_keys()}"


def show_privilege() -> str:
    return "show privilege"


def show_groups() -> str:
    return "show running-config | section crypto g"


def show_groups_unfiltered() -> str:
    """For releases whose `section` filter is missing."""
    return "show running-config"


def show_startup_groups() -> str:
    return "show startup-config | section crypto g"


def show_key_pairs_in_use() -> str:
    """Where other settings name an RSA key: `ip ssh rsa keypair-name L`, `rsakeypair L` of a trustpoint."""
    return "show running-config | include keypair"


def show_version() -> str:
    return "show version"


def show_coop(kind: GroupKind) -> str:
    return f"show crypto {_kind(kind)} ks coop"


def show_members(kind: GroupKind) -> str:
    return f"show crypto {_kind(kind)} ks members"


def show_policy(kind: GroupKind) -> str:
    return f"show crypto {_kind(kind)} ks policy"


# -- moving between modes ------------------------------------------------------------------------------------


def enable() -> str:
    return "enable"


def enter_config() -> str:
    return "configure terminal"


def leave_config() -> str:
    """Leaves any configuration mode; harmless in exec mode."""
    return "end"


def leave_paste() -> str:
    """Ends a PEM question."""
    return "quit"


# -- the label of a group --------------------------------------------------------------------------------------

_GROUP_NAME = re.compile(r"(?!-)[#-&(->@-{}~]{1,80}\Z")
"""One word, without what a command line could take for a comment, a quotation, help or a filter."""


def enter_group(kind: GroupKind, group: str) -> tuple[str, str]:
    """To the key server settings of a group that the device has. Of one that it does not have they would make one."""
    return f"crypto {_kind(kind)} group {_group_name(group)}", "server local"


def sign_with(held: HeldLabel) -> str:
    return f"rekey authentication mypubkey rsa {_proved(held, HeldLabel).name}"


def rekey_now(kind: GroupKind, group: str, replace_now: bool) -> str:
    """`replace_now`: members drop the keys in use at once, with a loss of traffic."""
    return f"crypto {_kind(kind)} ks rekey group {_group_name(group)}{' replace-now' if replace_now else ''}"


def _group_name(group: str) -> str:
    if not _GROUP_NAME.match(group):
        raise VpnKeysError("bad_input", "The name of the group cannot be used in an IOS command.")
    return group


# -- keys ----------------------------------------------------------------------------------------------------

_GENERATE_USAGE: dict[Usage, str] = {
    "general": "general-keys",
    "signature": "signature",
    "encryption": "encryption",
}
_IMPORT_USAGE: dict[Usage, str] = {"general": "", "signature": "signature", "encryption": "encryption"}

# Seen on XE; in a template for GET VPN; on IOS 15 (no `pem` at all). The last one is only in documents, and
# comes last because a release that takes `terminal PASSPHRASE` could take `exportable` for the passphrase.
_IMPORT_EXPORTABLE = (
    "exportable pem {usage}terminal",
    "pem {usage}exportable terminal",
    "exportable {usage}terminal",
    "pem {usage}terminal exportable",
)
_IMPORT_PRIVATE = ("pem {usage}terminal", "{usage}terminal")

CIPHERS = ("3des", "des", "aes")


def generate(free: FreeLabel, usage: Usage, exportable: bool) -> str:
    """Generate a key where none stands. IOS asks for the size; should it ask to replace, the answer is no."""
    return _generate(_proved(free, FreeLabel), usage, exportable)


def regenerate(held: HeldLabel, usage: Usage, exportable: bool) -> str:
    """Generate a key in place of the one that stands there: only here IOS may be told to replace it."""
    return _generate(_proved(held, HeldLabel), usage, exportable)


def _generate(label: Label, usage: Usage, exportable: bool) -> str:
    words = ["crypto key generate rsa", _usage(usage, _GENERATE_USAGE), "label", label.name]
    return " ".join([*words, "exportable"] if exportable else words)


def export(held: HeldLabel, cipher: str, passphrase: str) -> str:
    """Secret. 3des is what every release writes the standard way."""
    label = _proved(held, HeldLabel)
    if cipher not in CIPHERS:
        raise VpnKeysError("bad_input", f"The cipher {cipher!r} is not one of {', '.join(CIPHERS)}.")
    return f"crypto key export rsa {label.name} pem terminal {cipher} {check_passphrase(passphrase)}"


def imports(free: FreeLabel, exportable: bool, passphrase: str, usage: Usage) -> tuple[str, ...]:
    """Secret. Spellings of one import, to be tried in this order while the device answers "invalid_input"."""
    label = _proved(free, FreeLabel)
    word = _usage(usage, _IMPORT_USAGE)
    forms = _IMPORT_EXPORTABLE if exportable else _IMPORT_PRIVATE
    check_passphrase(passphrase)
    return tuple(
        f"crypto key import rsa {label.name} {form.format(usage=word + ' ' if word else '')} {passphrase}"
        for form in forms
    )


def remove(held: HeldLabel) -> str:
    return f"crypto key zeroize rsa {_proved(held, HeldLabel).name}"


def save() -> str:
    return "write memory"


def _proved(proof: object, kind: type[FreeLabel] | type[HeldLabel]) -> Label:
    if proof.__class__ is not kind:
        raise TypeError(f"a {kind.__name__} is needed, which only the key listing of the device gives")
    return kind(proof.label, proof.ring).label  # looks again: a proof that was tampered with raises


def _usage(usage: Usage, words: dict[Usage, str]) -> str:
    if usage not in words:
        raise VpnKeysError("bad_input", f"The usage {usage!r} is not one of {', '.join(words)}.")
    return words[usage]


def _kind(kind: GroupKind) -> str:
    if kind not in ("gdoi", "gkm"):
        raise VpnKeysError("bad_input", f"The group kind {kind!r} is neither gdoi nor gkm.")
    return kind


# -- passphrases ---------------------------------------------------------------------------------------------

_ALPHABET = string.ascii_letters + string.digits
_PASSPHRASE = re.compile(r"""(?:(?![?"'`])[!-~])+\Z""")
_SHORTEST, _LONGEST = 8, 128


def one_time_passphrase() -> str:
    """32 letters and digits: 190 bits."""
    return "".join(secrets.choice(_ALPHABET) for place in range(32))


def check_passphrase(text: str) -> str:
    """The passphrase itself, if IOS can take it from a command line. Messages never quote it."""
    if not isinstance(text, str) or len(text) < _SHORTEST:
        raise VpnKeysError("bad_input", f"The passphrase must have at least {_SHORTEST} characters.")
    if len(text) > _LONGEST:
        raise VpnKeysError("bad_input", f"The passphrase has more than {_LONGEST} characters.")
    if not _PASSPHRASE.match(text):
        raise VpnKeysError(
            "bad_input",
            "The passphrase has a character that IOS cannot take on a command line: '?', a space, a quote, "
            "a control character or one outside ASCII.",
        )
    return text


# -- pasting -------------------------------------------------------------------------------------------------

_PEM = re.compile(
    r"""-----BEGIN[ ](?P<kind>PUBLIC[ ]KEY|RSA[ ]PRIVATE[ ]KEY)-----\n
        (?:(?<=RSA[ ]PRIVATE[ ]KEY-----\n)
           Proc-Type:[ ]4,ENCRYPTED\nDEK-Info:[ ][A-Z0-9-]{1,20},[0-9A-Fa-f]{16,32}\n\n
          |(?<=BEGIN[ ]PUBLIC[ ]KEY-----\n))
        (?:[A-Za-z0-9+/]{64}\n)*
        (?![Qq][Uu][Ii][Tt]\n)(?:[A-Za-z0-9+/]{4}){0,15}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)\n
        -----END[ ](?P=kind)-----\n?
      """,
    re.VERBOSE,
)


def paste_lines(pem: str) -> tuple[str, ...]:
    """A PEM block as the lines to type. The blank line after DEK-Info is among them.

    Only a public or an encrypted private key in lines of 64 columns is taken: anything else could end the question
    too early, and the rest would run as commands.
    """
    text = pem.replace("\r\n", "\n")
    if not _PEM.fullmatch(text):
        raise VpnKeysError("bad_input", "The PEM has lines that the PEM of a key cannot have.")
    return tuple(text.removesuffix("\n").split("\n"))
