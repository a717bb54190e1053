# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error of this collection. PRIVATE to the collection."""

from __future__ import annotations

import functools
import re
import typing as t

CODES = frozenset(
    {
        "auth_failed",
        "bad_input",
        "bad_public_key",
        "blocked",
        "conflict",
        "drift",
        "duplicate_key",
        "export_failed",
        "generate_failed",
        "held",
        "host_key_changed",
        "host_key_unknown",
        "import_failed",
        "in_use",
        "internal",
        "interrupted",
        "missing_library",
        "no_privilege",
        "not_exportable",
        "not_found",
        "not_proved",
        "older_directory",
        "refused",
        "remove_failed",
        "save_failed",
        "schema",
        "session_lost",
        "signing_key",
        "tampered",
        "timeout",
        "too_few",
        "unexpected_question",
        "unreachable",
        "unreadable",
        "wrong_state",
    }
)


LEFT_OUT = "It was excluded"
NOTHING_CHANGED = "Nothing was changed"
NOTHING_DONE = "Nothing was done"
NOTHING_IS_CHANGED = "Nothing is changed"
NOTHING_READ = "Nothing was read"
NOTHING_REPORTED = "Nothing was reported"
NOTHING_SENT = "Nothing was sent"
NOTHING_WRITTEN = "Nothing was written"
"""States that errors end in."""

_OPTION = re.compile(r"O\((\w+)\)")


class VpnKeysError(Exception):
    """Something the user must know about: a code for programs; what happened, on which host, the state now and the
    next step for people. `str()` composes one text of them.

    Neither ever holds a secret or raw device text. `advice` (and `what`) name an option as ``O(name)``, which
    `rendered` replaces by what the reader can set. `changed`: whether something had been written to a device by then.
    """

    changed = False

    def __init__(self, code: str, what: str, *, host: str = "", state: str = "", advice: str = "") -> None:
        if code not in CODES:
            raise ValueError(f"{code!r} is not an error code of this collection")
        super().__init__(what)
        self.code, self.what, self.host, self.state, self.advice = code, what, host, state, advice

    def __str__(self) -> str:
        return rendered(self.marked, {})

    @property
    def marked(self) -> str:
        """The whole text, with its options still marked."""
        if not (self.host or self.state or self.advice):
            return self.what
        first = f"{self.host}: {self.what}" if self.host else self.what
        rest = f"{self.state}; {self.advice}" if self.state and self.advice else self.state or self.advice
        if not _OPTION.match(rest):
            rest = beginning(rest)
        return " ".join(sentence(part) for part in (first, rest) if part)

    def about(self, subject: str = "", *, state: str = "") -> VpnKeysError:
        """The same error, said of `subject`; `state` is for one that does not say what state it left."""
        what = f"{subject}: {self.what}" if subject else self.what
        error = type(self)(self.code, what, host=self.host, state=self.state or state, advice=self.advice)
        error.changed = self.changed
        return error

    def __reduce__(self) -> tuple[t.Any, ...]:
        # An exception made from more than one argument does not survive pickling by default.
        fields = {"host": self.host, "state": self.state, "advice": self.advice}
        return functools.partial(type(self), **fields), (self.code, self.what), {"changed": self.changed}


def sentence(text: str) -> str:
    """The text with the full stop that it may lack."""
    text = text.rstrip()
    return text if text.endswith((*_STOPS, *(f'{stop}"' for stop in _STOPS))) else f"{text}."


_STOPS = (".", "?", "!")


def beginning(text: str) -> str:
    """The clause as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def clause(text: str) -> str:
    """The text without the full stop that it may have: for the middle of a sentence."""
    return text.rstrip().removesuffix(".")


def about_host(host: str, text: str) -> str:
    """The text without the host in front, where the reader sees its name already."""
    return text.removeprefix(f"{host}: ")


def together(texts: t.Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Of hosts and their texts: by text, without the host in front, the hosts that have it, in their order."""
    found: dict[str, list[str]] = {}
    for host, text in texts:
        hosts = found.setdefault(about_host(host, text), [])
        hosts += [] if host in hosts else [host]
    return found


def stated(what: str, state: str, advice: str = "") -> str:
    """What is no error, but told as one: what was found, the state, and what to do. Its options are still marked."""
    return VpnKeysError("blocked", what, state=state, advice=advice).marked


def rendered(text: str, names: t.Mapping[str, str]) -> str:
    """A text with its marked options by the names that the reader can set, or their own."""
    return _OPTION.sub(lambda found: names.get(found[1], found[1]), text)
