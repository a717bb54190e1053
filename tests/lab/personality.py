# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between releases, and what nobody knows: one switch each. guesses.py says how sure each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .texts import TEXTS

Mode = Literal["config", "exec", "both"]


@dataclass(frozen=True)
class Personality:
    """The switches of one device. Any of them can be overridden per device in the lab file."""

    name: str
    version: str
    release: str
    train: str
    # -- the parser and the terminal
    caret: Literal["mismatch", "token"] = "mismatch"
    unknown_command: Literal["invalid", "translate"] = "invalid"
    config_quit: Literal["invalid", "exit"] = "invalid"
    max_line: int = 254
    passphrase: Literal["word", "line"] = "word"
    output_wrap: Literal["none", "hard"] = "none"
    scroll_redraw: Literal["backspace", "carriage_return"] = "backspace"
    pty_size: Literal["ignore", "honor"] = "ignore"
    typeahead_limit: int = 0
    questions_drop_typeahead: bool = False
    logging_synchronous: bool = False
    vty_lines: int = 16
    # -- enable
    enable_failure: Literal["bad_secrets", "access_denied", "authentication_error"] = "bad_secrets"
    # -- where the key commands live
    generate_mode: Mode = "config"
    export_mode: Mode = "config"
    import_mode: Mode = "config"
    zeroize_mode: Mode = "config"
    # -- generate
    modulus_low: int = 360
    modulus_high: int = 4096
    modulus_default: int = 512
    background_generation: bool = False
    background_seconds: float = 0.5
    generate_hidden: bool = False
    helper_key: bool = True
    helper_bits: int = 768
    ssh_banner_version: str = "1.99"
    # -- show
    show_bits: bool = False
    show_redundancy: bool = False
    show_saved: Literal["on_save", "at_boot", "never"] = "on_save"
    key_listing: Literal["full", "old"] = "full"
    show_missing: Literal["silent", "text"] = "silent"
    # -- export
    export_aes: bool = False
    base64_len: bool = False
    short_passphrase: Literal["refuse", "accept"] = "refuse"
    # -- import
    import_order: Literal["any", "documented", "before_pem"] = "any"
    import_pem_keyword: Literal["optional", "required"] = "optional"
    import_existing: Literal["refuse", "refuse_at_end", "replace", "ask"] = "refuse"
    import_bad_public: Literal["at_end", "at_once"] = "at_end"
    import_bad_private: Literal["at_end", "at_line"] = "at_end"
    import_plain: Literal["accept", "refuse"] = "accept"
    import_plain_with_passphrase: Literal["accept", "refuse"] = "refuse"
    import_aes: bool = False
    import_openssl_aes: Literal["accept", "refuse"] = "refuse"
    pem_echo: bool = True
    pem_trailing_space: Literal["accept", "refuse"] = "refuse"
    # -- zeroize, NVRAM
    zeroize_all_says: Literal["rsa", "all"] = "rsa"
    zeroize_missing: Literal["text", "silent", "question"] = "text"
    zeroize_nvram: Literal["on_save", "at_once"] = "on_save"
    write_confirm: bool = False
    ssh_needs_rsa_key: bool = False
    # -- GET VPN
    xe_getvpn: bool = False
    coop_needs_key: bool = False
    rekey_new_key: Literal["in_band", "out_of_band"] = "out_of_band"
    label_change_rekeys: bool = False
    sig_key_length: Literal["bits", "spki_bytes"] = "spki_bytes"
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)

    def text(self, name: str, /, **values: object) -> str:
        """The device's words of that name."""
        template = self.texts.get(name) or TEXTS[name][1]
        return template.format(**values) if values else template


IOS15 = Personality(
    name="ios15", version="15.7(3)M3", release="Version 15.7(3)M3, RELEASE SOFTWARE (fc2)", train="15.7"
)

XE16 = replace(
    IOS15,
    name="xe16",
    version="16.9.5",
    release="Version 16.9.5, RELEASE SOFTWARE (fc1)",
    train="16.9",
    passphrase="line",
    generate_mode="both",
    zeroize_mode="both",
    modulus_default=1024,
    show_redundancy=True,
    export_aes=True,
    import_aes=True,
    zeroize_all_says="all",
    xe_getvpn=True,
)

XE17 = replace(
    XE16,
    name="xe17",
    version="17.14.1a",
    release="Version 17.14.1a, RELEASE SOFTWARE (fc1)",
    train="17.14",
    modulus_low=2048,
    modulus_default=2048,
    background_generation=True,
    generate_hidden=True,
    helper_bits=2176,
    base64_len=True,
    show_bits=True,
    ssh_banner_version="2.0",
)

PERSONALITIES: Mapping[str, Personality] = MappingProxyType({p.name: p for p in (IOS15, XE16, XE17)})
_HINTS = get_type_hints(Personality)


def choices(switch: str) -> tuple[Any, ...]:
    """The values a switch takes; empty for numbers and free text."""
    hint = _HINTS[switch]
    if hint is bool:
        return (True, False)
    return get_args(hint) if get_origin(hint) is Literal else ()


def personality(name: str, overrides: Mapping[str, Any] | None = None) -> Personality:
    """The personality of that name with some switches set otherwise. ValueError for an unknown name, switch or value.

    `text.NAME` overrides what the device says, see texts.py.
    """
    if name not in PERSONALITIES:
        raise ValueError(f"unknown personality {name!r}: one of {', '.join(PERSONALITIES)}")
    known = {f.name for f in fields(Personality)} - {"texts", "name"}
    switches: dict[str, Any] = {}
    texts: dict[str, str] = dict(PERSONALITIES[name].texts)
    for key, value in (overrides or {}).items():
        if key.startswith("text.") and key[5:] in TEXTS:
            texts[key[5:]] = _ended(str(value), TEXTS[key[5:]][1])
        elif key in known:
            switches[key] = _checked(key, value)
        else:
            raise ValueError(f"unknown switch {key!r}")
    return replace(PERSONALITIES[name], texts=texts, **switches)


def _ended(text: str, like: str) -> str:
    """A line of its own where the usual text is one."""
    return text + "\n" if like.endswith("\n") and not text.endswith("\n") else text


def _checked(key: str, value: Any) -> Any:
    allowed = choices(key)
    if allowed and value not in allowed:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(map(str, allowed))}")
    if not allowed:
        kind = _HINTS[key]
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
            raise ValueError(f"{key}: {value!r} is not of the type {kind.__name__}")
    return value
