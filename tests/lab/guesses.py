# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that says what is not known of real devices."""

from __future__ import annotations

from .personality import PERSONALITIES, Personality, choices
from .texts import TEXTS

# switch: (how sure the default is, what is behind it)
SWITCHES: dict[str, tuple[str, str]] = {
    "caret": (
        "recalled",
        (
            "whether the caret stands under the first character that no keyword has (mismatch) or "
            "under the first of the word (token)"
        ),
    ),
    "unknown_command": (
        "documented",
        "one unknown word in exec: refused as after `transport preferred none`, or taken for a host name",
    ),
    "config_quit": ("guess", "whether global configuration knows `quit`"),
    "max_line": ("recalled", "characters in a command line; more are refused with a bell"),
    "passphrase": ("guess", "whether a passphrase is one word, or the rest of the line with its spaces"),
    "output_wrap": (
        "guess",
        "whether output is broken at the terminal width; input lines scroll with `$` in any case (seen)",
    ),
    "scroll_redraw": ("guess", "how a scrolling line is redrawn; what one sees in the end is the same (seen)"),
    "pty_size": ("guess", "whether the size in the SSH pty request becomes terminal length and width"),
    "typeahead_limit": ("guess", "characters typed ahead that are kept while a command runs; 0: all"),
    "questions_drop_typeahead": ("guess", "whether a question forgets what was typed ahead"),
    "logging_synchronous": (
        "documented",
        "`logging synchronous` on the vty lines: prompt and input come again after a message",
    ),
    "vty_lines": ("documented", "SSH sessions at a time; one more is closed before the SSH banner"),
    "enable_failure": ("recalled", "after three wrong secrets `% Bad secrets`; with AAA one try and another text"),
    "generate_mode": ("documented", "modes that accept `crypto key generate`"),
    "export_mode": (
        "guess",
        "modes that accept `crypto key export`; all transcripts are from configuration mode, the models hint at exec",
    ),
    "import_mode": ("guess", "modes that accept `crypto key import`"),
    "zeroize_mode": ("code", "modes that accept `crypto key zeroize`"),
    "modulus_low": ("seen", "smallest modulus"),
    "modulus_high": ("seen", "largest modulus"),
    "modulus_default": ("seen", "modulus offered in the question"),
    "background_generation": ("documented", "exec mode generates in the background"),
    "background_seconds": ("guess", "how long that takes at least"),
    "generate_hidden": ("seen", "configuration mode hides `generate` from help and logs PARSER-5-HIDDEN"),
    "helper_key": ("seen", "the first RSA key brings a temporary key `LABEL.server`"),
    "helper_bits": ("seen", "its size"),
    "ssh_banner_version": ("seen", "the version in SSH-5-ENABLED"),
    "show_bits": ("seen", "`Key type: RSA KEYS      2048 bits`"),
    "show_redundancy": ("seen", "`Redundancy enabled.`"),
    "show_saved": (
        "seen",
        "when `Storage Device: not specified` becomes `private-config`: when the key is saved, at the next boot, never",
    ),
    "key_listing": ("seen", "old IOS (12.2) shows neither type nor storage, and does not mark the helper of SSH"),
    "show_missing": ("guess", "`show crypto key mypubkey rsa L` without such a key: nothing, or a text"),
    "export_aes": ("seen", "`aes` is offered, in IOS XE's own form"),
    "base64_len": ("seen", "`base64 len N` glued to the BEGIN line"),
    "short_passphrase": (
        "guess",
        "fewer than 8 characters: refused (documented as the minimum, text unknown) or accepted",
    ),
    "import_order": (
        "guess",
        (
            "order of the import keywords: any; `pem [usage] terminal [exportable] PASS` "
            "(documented); options before `pem`"
        ),
    ),
    "import_pem_keyword": (
        "seen",
        "`crypto key import rsa L terminal PASS` works without `pem` on IOS 15; not known of IOS XE",
    ),
    "import_existing": (
        "guess",
        "import onto a label in use: refused at once, refused after the paste, replaces, or asks",
    ),
    "import_bad_public": (
        "guess",
        "a bad public part is noticed after both pastes, or at once: then the private part arrives as commands",
    ),
    "import_bad_private": (
        "guess",
        "a bad private part is noticed at `quit`, or at the line: then the rest arrives as commands",
    ),
    "import_plain": ("guess", "import without a passphrase takes an unencrypted private key"),
    "import_plain_with_passphrase": ("guess", "an unencrypted private key although a passphrase was given"),
    "import_aes": ("guess", "IOS XE reads its own aes form (surely); IOS 15 does not (expected)"),
    "import_openssl_aes": ("guess", "whether OpenSSL's AES-256-CBC PEM can be imported; `crypto pki import` could not"),
    "pem_trailing_space": ("guess", "whether blanks at the end of a pasted line (PEM or `quit`) are ignored"),
    "pem_echo": ("seen", "pasted lines are echoed"),
    "zeroize_all_says": ("code", "text when no label is given"),
    "zeroize_missing": ("guess", "zeroize of a label that is not there: a text, nothing, or the question as usual"),
    "zeroize_nvram": ("guess", "whether zeroize empties NVRAM at once or with the next `write memory`"),
    "write_confirm": ("recalled", "`write memory` asks before overwriting the NVRAM of another release"),
    "ssh_needs_rsa_key": (
        "simplified",
        "a real router without RSA key has no SSH; the lab's own host key is separate unless this is on",
    ),
    "xe_getvpn": (
        "seen",
        "gkm prompts and the longer GET VPN outputs of IOS XE; the coop prompt `gkm-coop-ks-config` is a guess",
    ),
    "coop_needs_key": (
        "guess",
        "whether key servers with different keys stop hearing each other (both become primary)",
    ),
    "sig_key_length": ("seen", "`sig key length`: modulus bits, or bytes of the public key"),
}
# What has neither a switch nor a text of its own: (how sure, what)
OUTPUTS: tuple[tuple[str, str], ...] = (
    (
        "recalled",
        "the layout of `show crypto gdoi`, `... ks` and `... ks policy` beyond the lines that transcripts show",
    ),
    ("guess", "`show crypto gdoi ks members summary`; `show crypto gdoi` on a router without groups"),
    ("guess", "`ks policy` of a group whose RSA key is missing: no KEK, no TEK"),
    ("guess", "a COOP peer that does not answer: role Unknown, status Dead, IKE Failed"),
    ("guess", "`crypto gdoi ks rekey` says nothing; members that registered under another key do not acknowledge it"),
    ("guess", "after the key of the SSH helper is gone, the next RSA key gets a helper"),
    ("guess", "a key being replaced in the background stays usable until the new one is there"),
    ("guess", "modulus questions of usage keys in the background: one for both keys"),
    ("recalled", "an SSH exec request runs one command without paging; one session per SSH connection"),
    ("recalled", "ctrl-C in a question or a paste breaks off the command"),
    ("recalled", "host names are cut to 20 characters in configuration prompts"),
    (
        "simplified",
        "the words a router knows at a place but the lab does not serve count for `?`, abbreviations and the caret",
    ),
    ("simplified", "messages about insecure keys of the newest IOS XE are not sent; the fault `syslog` can"),
)
SURE = ("seen",)


def table() -> str:
    """Everything that is not certain, as Markdown."""
    names = list(PERSONALITIES)
    out = [
        f"| switch | values | {' | '.join(names)} | how sure | what it is |",
        "|---|---|" + "---|" * len(names) + "---|---|",
    ]
    for name, (sure, what) in SWITCHES.items():
        if sure in SURE:
            continue
        values = ", ".join(map(str, choices(name))) or "number"
        defaults = " | ".join(str(getattr(p, name)) for p in PERSONALITIES.values())
        out.append(f"| `{name}` | {values} | {defaults} | {sure} | {_cell(what)} |")
    out += ["", "| text | how sure | default |", "|---|---|---|"]
    for name, (sure, text) in TEXTS.items():
        if sure not in ("seen", "code", "documented"):
            out.append(f"| `text.{name}` | {sure} | `{_cell(text.strip(chr(10)).replace(chr(10), ' / '))}` |")
    out += ["", "| other behaviour | how sure |", "|---|---|"]
    out += [f"| {_cell(what)} | {sure} |" for sure, what in OUTPUTS]
    return "\n".join(out) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def undocumented() -> set[str]:
    """Switches the table forgot."""
    fields = set(Personality.__dataclass_fields__) - {"name", "version", "release", "train", "texts"}
    return fields - set(SWITCHES)
