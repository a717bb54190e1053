# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a device, on demand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

SYSLOG = "%LINEPROTO-5-UPDOWN: Line protocol on Interface GigabitEthernet0/1, changed state to up"


@dataclass
class Cut:
    """Stop at a line the device receives.

    at: the N-th such line since the fault was set (and again N lines later, `times` times), or a regular expression.
    unit: count `command` lines only, or every `line` (answers, passwords and pasted lines as well).
    when: before it is executed; during its output, after `bytes` bytes of it; after its output, before the prompt.
    do: drop the session, reload the device, or hang (the session stays open and says nothing more).
    """

    at: int | str
    when: Literal["before", "during", "after"] = "before"
    do: Literal["drop", "reload", "hang"] = "drop"
    times: int = 1
    unit: Literal["command", "line"] = "command"
    bytes: int = 10

    def __post_init__(self) -> None:
        _one_of("cut.when", self.when, ("before", "during", "after"))
        _one_of("cut.do", self.do, ("drop", "reload", "hang"))
        _one_of("cut.unit", self.unit, ("command", "line"))
        self._seen = 0
        self._pattern = re.compile(self.at) if isinstance(self.at, str) else None

    def hits(self, kind: str, text: str) -> bool:
        """Whether to cut at this line. Counts."""
        if self.times <= 0 or (self.unit == "command" and kind != "command"):
            return False
        self._seen += 1
        if self._pattern.search(text) is None if self._pattern is not None else self._seen != self.at:
            return False
        self._seen, self.times = 0, self.times - 1
        return True


@dataclass
class Syslog:
    """A system message at a bad moment: during_output (amid what a command says), after_prompt, in_question.

    At every `every`-th such moment, `times` times (-1: always). Comes whether or not the session asked for messages
    (`terminal monitor`), unless `obey_monitor`. A `text` that begins with a star comes as it is: a message to all
    terminals, which no session can refuse.
    """

    where: Literal["during_output", "after_prompt", "in_question"]
    text: str = SYSLOG
    every: int = 1
    times: int = -1
    obey_monitor: bool = False
    delay_ms: float = 5  # between a prompt and the message after it

    def __post_init__(self) -> None:
        _one_of("syslog.where", self.where, ("during_output", "after_prompt", "in_question"))
        self._seen = 0

    def due(self, where: str, monitor: bool) -> bool:
        """Whether a message comes now. Counts."""
        if where != self.where or self.times == 0 or (self.obey_monitor and not monitor):
            return False
        self._seen += 1
        if self._seen % self.every:
            return False
        self.times -= self.times > 0
        return True


@dataclass(frozen=True)
class Faults:
    """The faults of one device; the defaults are a healthy one. Where a text may stand, True says the usual one."""

    latency_ms: float = 0  # before each line is acted upon
    chunk_bytes: int = 0  # output arrives in pieces of that size
    chunk_delay_ms: float = 1
    drop_after_bytes: int = 0  # once, at that byte of output since the fault was set
    cut: Cut | None = None
    refuse_login: bool | int = False  # True, or how many attempts
    closed: bool = False  # nothing listens
    silent: bool = False  # TCP is accepted, and that is all
    silent_after_login: bool = False
    low_privilege: int = 0  # the level at login; enable refuses every password. 0: no fault
    generation_seconds: float = 0
    syslog: Syslog | None = None
    nvram_full: bool | str = False
    import_fails: bool | str = False
    export_fails: bool | str = False
    generate_fails: bool | str = False
    says: Mapping[str, str] | None = None  # tampered with: what it answers to commands, by regular expression

    def lie(self, command: str) -> str | None:
        """What a tampered device says in place of carrying out a command."""
        found = (text for pattern, text in (self.says or {}).items() if re.fullmatch(pattern, command.strip()))
        return next(found, None)

    def changed(self, values: Mapping[str, Any]) -> Faults:
        """These faults with some set otherwise. ValueError for an unknown one."""
        known = {f.name for f in fields(Faults)}
        for name in values:
            if name not in known:
                raise ValueError(f"unknown fault {name!r}: one of {', '.join(sorted(known))}")
        made = dict(values)
        if isinstance(made.get("cut"), (int, str)):
            made["cut"] = {"at": made["cut"]}
        if isinstance(made.get("syslog"), str):
            made["syslog"] = {"where": made["syslog"]}
        for name, kind in (("cut", Cut), ("syslog", Syslog)):
            if isinstance(made.get(name), Mapping):
                try:
                    made[name] = kind(**made[name])
                except (TypeError, re.error) as error:
                    raise ValueError(f"{name}: {error}") from error
        return replace(self, **made)


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{what}: {value!r} is not one of {', '.join(allowed)}")
