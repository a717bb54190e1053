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
    "passphrase": (
        "seen",
        "one word, or on IOS XE the rest of the line (its help: `LINE  Passphrase used to protect the private key`)",
    ),
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
        "when `Storage Device: not specified` becomes `private-config`: as it is saved, at the next boot, never",
    ),
    "key_listing": ("seen", "old IOS (12.2) shows neither type nor storage, and does not mark the helper of SSH"),
    "show_missing": ("guess", "`show crypto key mypubkey rsa L` without such a key: nothing, or a text"),
    "export_aes": ("seen", "`aes` is offered, in IOS XE's own form"),
    "base64_len": ("seen", "`base64 len N` glued to the BEGIN line"),
    "short_passphrase": (
        "seen",
        "fewer than 8 characters: refused (seen), or accepted",
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
    "rekey_new_key": (
        "guess",
        (
            "the first rekey after the label of the key has changed: signed with the old key, and carries the new one "
            "(in_band; RFC 3547 allows it), or signed with the new one, which members reject (out_of_band)"
        ),
    ),
    "label_change_rekeys": ("guess", "whether a change of the label on the primary sends a rekey by itself"),
    "sig_key_length": ("seen", "`sig key length`: bytes of the public key; an old IOS 15 showed bits of the modulus"),
}
WRONG: dict[str, str] = {
    "caret": "nothing: the caret's line is passed over, and the refusal below it is what counts",
    "unknown_command": (
        "nothing but time: a refusal is waited for until the name server gives up, within the time limit of a command"
    ),
    "config_quit": "nothing: `quit` is typed only inside a paste; `end` leaves configuration mode",
    "max_line": "a command would be cut: the device refuses it, nothing is changed. No line of ours is longer than 254",
    "passphrase": "nothing: the passphrases are one word of 32 letters and digits, and stand last",
    "output_wrap": "a wrapped line cannot be read: the device is excluded as unreadable. The width is set to 512 first",
    "scroll_redraw": (
        "the echo of a line is not recognized: the answer is waited for until the prompt, which costs seconds"
    ),
    "pty_size": "nothing: length and width are set by command, too",
    "typeahead_limit": (
        "lines sent ahead are lost at login: the device pages its output, which is answered page by page"
    ),
    "questions_drop_typeahead": "nothing: nothing is sent before a question is there",
    "logging_synchronous": "a prompt is repeated behind a message: it is recognized as before",
    "vty_lines": "the session is refused, and the device is reported as not reachable",
    "enable_failure": "the error has another text; it is an error all the same",
    "generate_mode": "the command is refused where it is tried first, and tried in the other mode",
    "export_mode": "the command is refused where it is tried first, and tried in the other mode",
    "import_mode": "the command is refused where it is tried first, and tried in the other mode",
    "zeroize_mode": "the command is refused where it is tried first, and tried in the other mode",
    "modulus_low": "the size that is asked for is refused with what the device offers; nothing is changed",
    "modulus_high": "the size that is asked for is refused with what the device offers; nothing is changed",
    "modulus_default": "nothing: the question is always answered with a number",
    "background_generation": "the key is not there yet when the prompt comes: it is looked for until the time limit",
    "background_seconds": "a key that comes after the time limit is reported as not made; the next run finds it",
    "generate_hidden": "nothing: the log message is passed over",
    "helper_key": "nothing: a helper key is not counted",
    "helper_bits": "nothing: a helper key is not counted",
    "ssh_banner_version": "nothing: the log message is passed over",
    "show_bits": "nothing: it is read with and without, and compared with the key",
    "show_redundancy": "nothing: it is read with and without",
    "show_saved": "a saved key is shown as `unknown` after the run that saved it; nothing is saved twice",
    "key_listing": "the helper key would count as a key, and the last real one could be removed with `state: absent`",
    "show_missing": "nothing: all keys are listed, never one",
    "export_aes": "nothing: 3des is asked for first",
    "base64_len": (
        "nothing for the modules; by hand the paste fails with `% Unable to decode key`, and the instructions say so"
    ),
    "short_passphrase": "nothing: the passphrases have 32 characters",
    "import_order": (
        "the command is refused, and the next of four spellings is tried; if all are refused, nothing is changed"
    ),
    "import_pem_keyword": (
        "the command is refused, and the next of four spellings is tried; if all are refused, nothing is changed"
    ),
    "import_existing": "nothing: no key is imported to a label in use; should the device ask, the answer is no",
    "import_bad_public": (
        "the rest of a paste would arrive as commands: each line waits for the echo of the one before, and stops"
    ),
    "import_bad_private": (
        "the rest of a paste would arrive as commands: each line waits for the echo of the one before, and stops"
    ),
    "import_plain": "nothing: no private key is ever sent unencrypted",
    "import_plain_with_passphrase": "nothing: no private key is ever sent unencrypted",
    "import_aes": "nothing: what is imported is sealed again with 3des",
    "import_openssl_aes": "nothing: what is imported is sealed again with 3des",
    "pem_trailing_space": "nothing: no line that is pasted ends with a blank",
    "pem_echo": "a paste takes some seconds longer, as each line waits for an echo that does not come",
    "zeroize_all_says": "nothing: no key is removed without its label",
    "zeroize_missing": "nothing: only a key that was just seen is removed",
    "zeroize_nvram": (
        "a reload in the middle of a replacement finds the old key, or none; the new one waits under the scratch label"
    ),
    "write_confirm": (
        "the question is answered; an unknown one ends the run with `unexpected_question`, and the key is not saved"
    ),
    "ssh_needs_rsa_key": "removing the last key would lock everybody out: it needs `allow_last_key`",
    "xe_getvpn": (
        "a line of the state that cannot be placed makes the key server unreadable; nothing is changed in its group"
    ),
    "coop_needs_key": (
        "during a replacement the group splits until the last key server has the new key; a split is reported"
    ),
    "rekey_new_key": (
        "nothing: who acknowledges and who registers again is counted, and decides what is waited for; "
        "out of band all members register again within one life of their keys"
    ),
    "label_change_rekeys": "nothing: one more rekey is sent in any case, and only what follows it counts",
    "sig_key_length": "nothing: the size of a key is never derived from it",
}
"""What would go wrong on a device that does otherwise than the lab's default."""
SOURCES = {
    "seen": "transcripts of devices",
    "documented": "Cisco's documents",
    "code": "Cisco's own test code, made from devices",
    "recalled": "known from use, no transcript at hand",
    "guess": "none: something plausible",
    "simplified": "none: the lab does less than a device",
}
# What has neither a switch nor a text of its own: (how sure, what)
OUTPUTS: tuple[tuple[str, str], ...] = (
    (
        "recalled",
        "the layout of `show crypto gdoi`, `... ks` and `... ks policy` beyond the lines that transcripts show",
    ),
    ("guess", "`show crypto gdoi` on a router without groups"),
    ("guess", "`show crypto gdoi feature`, `ks rekey`, `ks identifier`, `ks coop version`: that they exist is seen"),
    ("guess", "`ks policy` of a group whose RSA key is missing: no KEK, no TEK"),
    ("guess", "a COOP peer that does not answer: role Unknown, status Dead, IKE Failed"),
    ("guess", "`crypto gdoi ks rekey` says nothing; members that registered under another key do not acknowledge it"),
    (
        "guess",
        (
            "running groups: a primary announces itself each 20 s; a secondary that heard none for 30 s asks, and "
            "takes over after 60 s"
        ),
    ),
    ("guess", "running groups: the counters of a member begin again when it registers again"),
    ("guess", "running groups: a member registers again up to 60 s before its keys end, and keeps them until then"),
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
TEXTS_TOLD = (
    "A text that a device words otherwise: a refusal that is not known counts as one and is quoted; a question that is"
    " not known ends the run with `unexpected_question`. Success is a known line only, and the key that is shown then."
)


def table() -> str:
    """Everything that is not certain, as Markdown."""
    names = list(PERSONALITIES)
    out = [
        f"| switch | values | {' | '.join(names)} | how sure | source | what it is | on a device that does otherwise |",
        "|---|---|" + "---|" * len(names) + "---|---|---|---|",
    ]
    for name, (sure, what) in SWITCHES.items():
        if sure in SURE:
            continue
        values = ", ".join(map(str, choices(name))) or "number"
        defaults = " | ".join(str(getattr(p, name)) for p in PERSONALITIES.values())
        out.append(f"| `{name}` | {values} | {defaults} | {sure} | {SOURCES[sure]} | {_cell(what)} | {WRONG[name]} |")
    out += ["", TEXTS_TOLD, "", "| text | how sure | default |", "|---|---|---|"]
    for name, (sure, text) in TEXTS.items():
        if sure not in ("seen", "code", "documented"):
            out.append(f"| `text.{name}` | {sure} | `{_cell(text.strip(chr(10)).replace(chr(10), ' / '))}` |")
    out += ["", "| other behavior | how sure |", "|---|---|"]
    out += [f"| {_cell(what)} | {sure} |" for sure, what in OUTPUTS]
    return "\n".join(out) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def undocumented() -> set[str]:
    """Switches the table forgot."""
    fields = set(Personality.__dataclass_fields__) - {"name", "version", "release", "train", "texts"}
    return fields - set(SWITCHES)
