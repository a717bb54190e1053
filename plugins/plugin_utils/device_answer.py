# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The strict reader: what a module on a gateway answered, as far as it may be believed. Pure.

A gateway may have been tampered with, and then every byte of its answer is the attacker's. So an answer is read twice
by the same rules: where it arrives (plugin_utils/gateways/action.py), before Ansible sees any of it, and where it is
used, as a variable may have come another way. What is read is a claim of that host about itself: names of others are
taken only from what the host was asked.

A strict reader refuses newer fields of our own, too. There are none: the modules travel to the gateways from the
control node that reads their answers, so both are always of one version.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..module_utils._backends import BACKENDS
from ..module_utils._errors import VpnKeysError, beginning, sentence
from ..module_utils._fleet import observed
from ..module_utils._fleet.observed import Blocked, Change, Observation, StoredKey, Tunnel
from ..module_utils._gateway.wireguard.backends import CHOICES
from ..module_utils._printable import quoted
from ..module_utils._public_key import parse
from . import reasons
from .strict import (
    CODE,
    FINGERPRINT,
    Reader,
    Reading,
    Unreadable,
    choice,
    flag,
    many,
    nullable,
    number,
    parse_json,
    public_key,
    record,
    said,
    text,
    word,
)

Data = dict[str, t.Any]

MOST_BYTES = 16 * 1024 * 1024
"""Of one answer. A gateway with 10,000 peers, each with two keys and a tunnel, says 8 MB."""
MOST_ENTRIES = 50_000
FEW_ENTRIES, FEW_CHARACTERS = 20_000, 4_000_000
"""Of one answer in all, whatever the fleet: an interface may have thousands of peers that are no gateways."""
ENTRIES_EACH, CHARACTERS_EACH = 10, 4_000
"""More for each gateway of the fleet: two keys, some tunnels, one reason."""
MOST_LINES = 500
"""Of one side of a diff: Ansible compares them line by line, in quadratic time, outside of our limits."""
MOST_OBSTACLES = 20
MOST_NAMES = 2_000
MOST_SAID = 2_000
"""Characters of the message of a failure."""
NEW = "(new)"
"""What a module says in check mode instead of a key that is still to be made."""

_UNIX = number(-1, 1e12)
_ROLE = choice("current", "staged", "withdrawn")


def _key(value: t.Any, reading: Reading, at: str) -> Data:
    found: Data = _KEY(value, reading, at)
    key = parse(found["public_key"])
    if (key.fingerprint, key.algorithm) != (found["fingerprint"], found["algorithm"]):
        raise Unreadable(f"{at} contradicts the key itself")
    return {**found, "bits": key.bits}


_KEY = record(
    {
        "public_key": public_key,
        "fingerprint": FINGERPRINT,
        "algorithm": choice("x25519", "ed25519", "rsa"),
        "bits": number(1, 65536),
    }
)


class TooLong(Unreadable):
    """Of its kind, but more than anybody compares."""


def _lines(value: t.Any, reading: Reading, at: str) -> str:
    """A text of several lines, each of them printable."""
    if not isinstance(value, str):
        raise Unreadable(f"{at} is not text")
    found = value.split("\n")
    if len(found) > MOST_LINES:
        raise TooLong(f"{at} has more than {MOST_LINES} lines")
    return "\n".join(text(200)(line, reading, at) for line in found)


_DIFF = record({"before_header": text(200), "after_header": text(200), "before": _lines, "after": _lines})


def _diff(value: t.Any, reading: Reading, at: str) -> t.Any:
    """What it says to have changed. One that is too long to be compared is dropped, and named as such."""
    if not value:
        return value and []
    try:
        return _DIFF(value, reading, at)
    except TooLong:
        reading.drop("a diff of more than 500 lines")
        return []


_SEEN: dict[str, Reader] = {"checkpoint": word("[\\x20-\\x7e\\n\u2014]{0,2000}", "checkpoint")}
_COMMON: dict[str, Reader] = {"diff": _diff}
_CHANGED: dict[str, Reader] = {"changed": flag}


def _gateway(words: Callable[[int], Reader]) -> Reader:
    """The state of a gateway. `words`: what its sentences, of so many characters, are made to."""
    return record(
        {
            "platform": choice(*BACKENDS),
            "own": record({"file": nullable(_key), "runtime": nullable(_key)}),
            "pending": nullable(_key),
            "previous": nullable(_key),
            "change": nullable(
                record(
                    {
                        "step": choice("activating", "active", "confirmed", "rolled_back", "failed"),
                        "key": FINGERPRINT,
                        "at": _UNIX,
                        "deadline": _UNIX,
                        "error": words(1000),
                        "began": _UNIX,
                    }
                )
            ),
            "stored": many(
                record(
                    {
                        "peer": text(256),
                        "public_key": public_key,
                        "fingerprint": FINGERPRINT,
                        "file": nullable(_ROLE),
                        "runtime": nullable(_ROLE),
                    }
                ),
                MOST_ENTRIES,
            ),
            "tunnels": many(
                record(
                    {
                        "peer": text(256),
                        "with_own": nullable(FINGERPRINT),
                        "with_peer": nullable(FINGERPRINT),
                        "age": number(0, 1e12),
                        "proof": text(200),
                        "by": _UNIX,
                    }
                ),
                MOST_ENTRIES,
            ),
            "blocked": many(
                record({"peer": text(256), "fingerprint": nullable(FINGERPRINT), "why": words(500)}), MOST_ENTRIES
            ),
            "at_restart": many(words(500), MOST_OBSTACLES),
        },
        {"backend": choice("", *CHOICES[1:]), "fetched": nullable(_fetched(words))},
    )


def _fetched(words: Callable[[int], Reader]) -> Reader:
    """What the last fetch of a gateway found."""
    return record(
        {
            "number": number(0, 1e9),
            "root": word("(?:[0-9a-f]{64})?", "root"),
            "directory": word("(?:[0-9a-f]{64})?", "root"),
            "revision": number(0, 1e15),
            "stored": flag,
            "code": word("[a-z_]{0,40}", "code"),
            "msg": words(1000),
            "expires": _UNIX,
            "at": _UNIX,
            "succeeded_at": _UNIX,
        }
    )


def _info(words: Callable[[int], Reader]) -> Reader:
    optional = {**_SEEN, "obstacles": many(words(500), MOST_OBSTACLES)}
    return record({**_CHANGED, "gateway": _gateway(words)}, optional)


def _refused(words: Callable[[int], Reader]) -> Reader:
    return many(record({"gateway": text(256), "why": words(1000)}), MOST_ENTRIES)


ANSWERS: dict[str, Reader] = {
    "gateway_info": _info(text),
    "gateway_key": record(
        {
            **_CHANGED,
            "public_key": nullable(public_key),
            "fingerprint": nullable(FINGERPRINT),
            "algorithm": nullable(choice("x25519", "ed25519", "rsa")),
        },
        {**_COMMON, **_SEEN, "proof": word("[0-9A-Za-z+/=]{0,20000}", "proof")},
    ),
    "gateway_peers": record(
        {
            **_CHANGED,
            "stored": many(
                record({"gateway": text(256), "public_key": nullable(public_key), "role": _ROLE}), MOST_ENTRIES
            ),
            "neighbors": many(text(256), MOST_ENTRIES),
            "refused": _refused(text),
        },
        {**_COMMON, **_SEEN},
    ),
    "gateway_bridge": record(
        {
            **_CHANGED,
            "interface": word("[A-Za-z0-9_.=+-]{0,15}", "name of an interface"),
            "carried": many(text(256), MOST_ENTRIES),
            "left": many(text(256), MOST_ENTRIES),
        },
        _COMMON,
    ),
    "gateway_call_in": record({**_CHANGED, "token_sha256": nullable(FINGERPRINT)}, _COMMON),
    "gateway_fetch": record(_CHANGED, _COMMON),
}
"""What each module may answer. An answer that is a failure is read by FAILURE instead."""
FAILURE = record({"failed": flag, "msg": said(MOST_SAID)}, {"code": CODE, "changed": flag})
SILENT = frozenset(("invocation", "warnings", "deprecations"))
"""Fields that modules of Ansible always or often send, and that nobody reads."""


# ------------------------------------------------------------------ where it arrives


@dataclass(frozen=True)
class Asked:
    """What a module was asked: its name, its options, and whether to predict only. `gateways`: so many there are, as
    far as that is known; an answer that is much longer than theirs takes the time of all others."""

    module: str
    options: Mapping[str, t.Any] = field(default_factory=dict)
    check: bool = False
    gateways: int | None = None

    def reading(self) -> Reading:
        if self.gateways is None:
            return Reading()
        entries = FEW_ENTRIES + ENTRIES_EACH * self.gateways
        return Reading(entries=entries, characters=FEW_CHARACTERS + CHARACTERS_EACH * self.gateways)


def arrived(host: str, asked: Asked, output: str) -> Data:
    """The result of a task, from what a module printed on `host`. What cannot be trusted is a failure in one
    sentence; never raises."""
    reading = asked.reading()
    try:
        result = _believed(host, asked, output, reading)
    except Unreadable as error:
        return refused(f"its answer cannot be read: {error}") | {"findings": [_unreadable(error)]}
    return {**result, "findings": _findings(reading)}


def refused(why: str) -> Data:
    """The failure that says so."""
    error = VpnKeysError(
        "unreadable",
        f"refused: {why}",
        state="It was excluded",
        advice="find out what runs there before it is used again",
    )
    return {"failed": True, "changed": False, "code": error.code, "msg": str(error), "findings": []}


def _believed(host: str, asked: Asked, output: str, reading: Reading) -> Data:
    if len(output) > MOST_BYTES:
        raise Unreadable(f"it is longer than {MOST_BYTES >> 20} MiB")
    raw = {name: value for name, value in parse_json(output).items() if name not in SILENT}
    if raw.get("failed"):
        found: Data = FAILURE(raw, reading, "the answer")
        return {"changed": False, **found, "msg": beginning(found["msg"])}
    answer: Data = ANSWERS[asked.module](raw, reading, "the answer")
    to_the_point = _TO_THE_POINT.get(asked.module)
    return to_the_point(host, asked, answer, reading) if to_the_point else answer


def _unreadable(error: Unreadable) -> str:
    return f"Its answer cannot be read: {error}."


def _findings(reading: Reading) -> list[str]:
    if not reading.dropped:
        return []
    more = f" and {reading.more} more" if reading.more else ""
    names = f"{', '.join(reading.dropped)}{more}"
    return [f"Its answer has unexpected parts, which were ignored: {names}."]


def _own_key(host: str, asked: Asked, answer: Data, reading: Reading) -> Data:
    """A key that was asked for is the one that is answered, or none."""
    wanted = asked.options.get("public_key")
    if not answer["public_key"]:
        if not asked.check:
            raise Unreadable("it names no key")
        return {**answer, "fingerprint": None, "algorithm": None}
    key = parse(answer["public_key"])
    if wanted and parse(str(wanted)) != key:
        raise Unreadable("it is about another key than it was asked for")
    return {**answer, "fingerprint": key.fingerprint, "algorithm": key.algorithm}


Claim = tuple[str, str, str | None]
"""Gateway, role, text of the key."""


def _asked_for(host: str, options: Mapping[str, t.Any]) -> dict[Claim, None]:
    """All that a gateway can acknowledge: what it was told to store."""
    found: dict[Claim, None] = {}
    for peer in options.get("peers") or ():
        name = str(peer["name"])
        beside = peer.get("staged") or (peer.get("previous") if options.get("accept_previous") else None)
        if name == host:
            continue
        if peer.get("withdrawn"):
            found[name, "withdrawn", None] = None
            continue
        found[name, "current", _normal(peer.get("current"))] = None
        if beside and beside != NEW:
            found[name, "staged", _normal(beside)] = None
    return found


def _normal(key: t.Any) -> str | None:
    """The key in its one form. None for what is no key: nobody can acknowledge that."""
    try:
        return parse(str(key)).text if key else None
    except VpnKeysError:
        return None


def _stored(host: str, asked: Asked, answer: Data, reading: Reading) -> Data:
    """Who acknowledges is who answered, and only what was asked: the rest is dropped, and named as such."""
    wanted = _asked_for(host, asked.options)
    claimed = {(one["gateway"], one["role"], one["public_key"]): None for one in answer["stored"]}
    for gateway, role, _key in claimed.keys() - wanted.keys():
        reading.drop(f"{gateway} as {role}")
    held = [claim for claim in wanted if claim in claimed]
    revision = asked.options.get("revision") if len(held) == len(wanted) else None
    names = {gateway for gateway, _role, _key in wanted}
    return {
        **answer,
        # All of it at once is one number instead of a row for each.
        "stored": [] if revision is not None else [
            {"gateway": gateway, "role": role, "public_key": key} for gateway, role, key in held
        ],
        "learned": None if revision is None else int(revision),
        "neighbors": [name for name in dict.fromkeys(answer["neighbors"]) if name in names],
        # One reason for each that was asked for: a gateway could say the same thousands of times.
        "refused": list({one["gateway"]: one for one in answer["refused"] if one["gateway"] in names}.values()),
    }  # fmt: skip


def _few(host: str, asked: Asked, answer: Data, reading: Reading) -> Data:
    """Of names that nobody asked for as many as anybody reads."""
    for name in ("carried", "left"):
        for one in answer[name][MOST_NAMES:]:
            reading.drop(f"{name} {one}")
    return {**answer, **{name: answer[name][:MOST_NAMES] for name in ("carried", "left")}}


_TO_THE_POINT: dict[str, t.Callable[[str, Asked, Data, Reading], Data]] = {
    "gateway_key": _own_key,
    "gateway_peers": _stored,
    "gateway_bridge": _few,
}
"""For each module whose answer must be one to its question."""


# ------------------------------------------------------------------ where it is used

_FINDINGS = many(text(1000), 20)


def _said(longest: int) -> Reader:
    """Where the words of a gateway become part of sentences of ours. They were read by text(longest) before, which may
    have made ten characters of one, and says how many it cut."""
    return said(10 * longest + 40)


_KEPT: dict[str, Reader] = {
    **ANSWERS,
    "gateway_info": _info(_said),
    "gateway_peers": record(
        {
            **_CHANGED,
            "stored": many(
                record({"gateway": text(256), "public_key": nullable(public_key), "role": _ROLE}), MOST_ENTRIES
            ),
            "learned": nullable(number(0, 2**62)),
            "refused": _refused(_said),
        },
        _SEEN,
    ),
}
_ANSIBLE = record(
    {},
    {
        "msg": text(20 * MOST_SAID),
        "code": CODE,
        "reason": text(MOST_SAID),
        "failed": flag,
        "unreachable": flag,
        "skipped": flag,
        "findings": _FINDINGS,
    },
)


NO_REASON = "it does not say why"


@dataclass(frozen=True)
class Answer:
    """One registered result: how far its host was reached, why no farther and what to check then (a sentence), what it
    said, and what is said of that."""

    host: str
    state: str
    why: str = ""
    advice: str = ""
    said: Mapping[str, t.Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Why it did not store some of what it was told to: sentences."""


def answer(host: str, module: str, result: t.Any) -> Answer:
    """A result of a task with `module` as it was registered for `host`; anything else is refused. Never raises."""
    try:
        about: Data = _ANSIBLE(result, Reading(), "the result") if result else {"skipped": True}
        findings = tuple(about.get("findings", ()))
        if about.get("skipped"):
            return Answer(host, observed.ABSENT, "not in this play")
        if about.get("unreachable"):
            return Answer(host, observed.UNREACHABLE, *_unreachable(about), findings=findings)
        if about.get("failed"):
            message = about.get("msg", "")
            # Not where a module says it: so a gateway would ask for that password.
            check = "" if message.startswith("It says") else reasons.become_advice(message)
            return Answer(host, observed.REFUSED, _why(message), check, findings=findings)
        said = _KEPT[module](result, Reading(), "the result")
        refused_ = said.get("refused", ())
        left_out = tuple(f"It did not store {one['gateway']}: {sentence(_why(one['why']))}" for one in refused_)
        return Answer(host, observed.READY, said=said, findings=findings, left_out=left_out)
    except Unreadable as error:
        why = f"refused: its answer cannot be read: {error}"
        return Answer(host, observed.REFUSED, why, findings=(_unreadable(error),))


def _unreachable(about: Data) -> tuple[str, str]:
    """Why, for the middle of a sentence, and what to check."""
    if about.get("code") == "timeout":
        return "no answer in time", reasons.TIMEOUT
    reason = about.get("reason") or reasons.of_connection(about.get("msg", ""))
    why = f"unreachable: {quoted(reason, reasons.LONGEST)}" if reason else "unreachable"
    return why, reasons.advice(reason)


def _why(message: str) -> str:
    """A message of ours, or the quoted one of a gateway as `arrived` made it, for the middle of a sentence."""
    return message.replace("It says", "it says", 1) if message.startswith("It says") else message or NO_REASON


def answers(module: str, results: Mapping[str, t.Any]) -> dict[str, Answer]:
    """The same for many hosts."""
    return {host: answer(host, module, result) for host, result in results.items()}


def observations(results: Mapping[str, t.Any]) -> dict[str, Observation]:
    """Results of gateway_info by host."""
    return {host: observation(answer(host, "gateway_info", result)) for host, result in results.items()}


def observation(found: Answer) -> Observation:
    """What a result of gateway_info says."""
    about: Data = {name: getattr(found, name) for name in ("host", "state", "why", "advice", "findings")}
    if found.state != observed.READY:
        return Observation(**about)
    if obstacles := found.said.get("obstacles"):
        about |= {"state": observed.REFUSED, "why": _why(" and ".join(filter(None, obstacles)))}
    gateway = found.said["gateway"]
    change, fetched = gateway["change"], gateway.get("fetched")
    return Observation(
        **about,
        seen=True,
        own_file=_print(gateway["own"]["file"]),
        own_runtime=_print(gateway["own"]["runtime"]),
        pending=_print(gateway["pending"]),
        previous=_print(gateway["previous"]),
        change=change and Change(**{name: change[name] for name in ("step", "key", "began", "deadline", "error")}),
        stored=tuple(
            StoredKey(one["peer"], one["fingerprint"], one["file"], one["runtime"]) for one in gateway["stored"]
        ),
        tunnels=tuple(
            Tunnel(one["peer"], one["with_own"], one["with_peer"], one["age"], one["by"]) for one in gateway["tunnels"]
        ),
        blocked=tuple(Blocked(one["peer"], one["fingerprint"], one["why"]) for one in gateway["blocked"]),
        at_restart=tuple(gateway["at_restart"]),
        fetch=fetched["msg"] if fetched and fetched["code"] else "",
    )


def _print(key: Data | None) -> str | None:
    return key["fingerprint"] if key else None


def acknowledgements(results: Mapping[str, t.Any]) -> tuple[list[Data], list[Data]]:
    """What results of gateway_peers acknowledge, as the options `acknowledgements` and `learned` of key_directory.
    Who acknowledges is who answered, whatever the answer says."""
    found = [one for one in answers("gateway_peers", results).values() if one.state == observed.READY]
    held = [{"peer": one.host, **claim} for one in found for claim in one.said["stored"]]
    learned = [
        {"peer": one.host, "revision": int(one.said["learned"])} for one in found if one.said["learned"] is not None
    ]
    return held, learned


def own_keys(results: Mapping[str, t.Any]) -> dict[str, str | None]:
    """By host, the key that a result of gateway_key is about, where it succeeded. None: it is still to be made (check
    mode)."""
    found = answers("gateway_key", results).values()
    return {one.host: one.said["public_key"] for one in found if one.state == observed.READY}


def checkpoints(module: str, results: Mapping[str, t.Any]) -> list[Data]:
    """What each gateway has seen of the directory, as the option `witnesses` of key_directory."""
    found = answers(module, results).values()
    return [{"gateway": one.host, "note": one.said["checkpoint"]} for one in found if one.said.get("checkpoint")]
