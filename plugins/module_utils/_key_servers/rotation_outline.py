# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation will do from here to its end, in sentences, for the person who approves it. Pure and total.

It says what `decide` would do if everything goes well, as far as that can be known beforehand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from .plan import Copy
from .rotation import SETTLE, Facts, KeyServer, Member, Observation, Policy, Rotation, State, decide

ORDER: tuple[State, ...] = (
    "surveyed", "prepared", "timed", "canary", "secondaries", "primary", "learning", "verified", "retired",
)  # fmt: skip
NOT_NOW = "Not possible now:"
"""How a sentence begins that is no step."""
_SOME_KEY = Copy("", 2048, "general", exportable=True, saved=True)


def reached(rotation: Rotation, state: State) -> bool:
    """Whether the rotation is in that state or beyond."""
    return ORDER.index(rotation.state) >= ORDER.index(state)


def numbered(texts: Sequence[str]) -> list[str]:
    """Steps with their numbers, and what is in the way without one."""
    steps = [text for text in texts if not text.startswith(NOT_NOW)]
    others = [text for text in texts if text.startswith(NOT_NOW)]
    return [*(f"{number}. {text}" for number, text in enumerate(steps, 1)), *others]


def outline(rotation: Rotation, seen: Observation, facts: Facts, policy: Policy, bits: int) -> tuple[str, ...]:
    """The steps that are left, in their order, each as a sentence; the last ones say what is in the way."""
    if policy.abort:
        return _back(rotation)
    steps = [
        *_prepare(rotation, seen, bits),
        *_secondaries(rotation, seen, facts),
        *_primary(rotation, seen, policy),
        *_learning(rotation, seen, facts),
        *_retire(rotation, seen),
    ]
    return (*steps, *_in_the_way(rotation, seen, facts, policy))


def _back(rotation: Rotation) -> tuple[str, ...]:
    secondaries = f"every secondary that names {rotation.new}"
    return (f"Change the label back to {rotation.old} on {secondaries}, save, and remove the key {rotation.new}.",)


def _prepare(rotation: Rotation, seen: Observation, bits: int) -> Iterable[str]:
    lacking = [server.name for server in seen.servers if server.new is None]
    if not lacking:
        return
    if len(lacking) == len(seen.servers):
        yield f"Generate an exportable key of {bits} bits under {rotation.new} on one key server."
    yield f"Copy it to all key servers, and save: {', '.join(lacking)} {'lack' if len(lacking) > 1 else 'lacks'} it."


def _secondaries(rotation: Rotation, seen: Observation, facts: Facts) -> Iterable[str]:
    primary = _primary_name(seen)
    left = [server.name for server in seen.servers if server.label != rotation.new and server.name != primary]
    if not left:
        return
    if facts.coop_of({server.release for server in seen.servers}) == "splits":
        yield (
            f"Change the label to {rotation.new} on {', '.join([*left, primary])} within seconds, as these releases do "
            "not receive COOP messages from each other while their labels differ."
        )
        return
    yield (
        f"Change the label to {rotation.new} on {', '.join(left)}, one after the other, and save; after each, check "
        f"for up to {SETTLE} seconds that all key servers receive each other's COOP messages, and restore the old "
        "label if not."
    )


def _primary(rotation: Rotation, seen: Observation, policy: Policy) -> Iterable[str]:
    primary = _primary_name(seen)
    if any(server.name == primary and server.label != rotation.new for server in seen.servers):
        yield f"Change the label on the primary, {primary}, and save. After this, it cannot be rolled back."
    if not reached(rotation, "learning"):
        now = policy.emergency and policy.replace_now
        how = "; the keys in use end at once, and traffic is lost until members have the new ones" if now else ""
        yield f"Send a rekey of {rotation.group} from {primary}{how}."


def _primary_name(seen: Observation) -> str:
    alone = seen.servers[0].name if len(seen.servers) == 1 else "the primary"
    return next((server.name for server in seen.servers if server.role == "Primary"), alone)


def _learning(rotation: Rotation, seen: Observation, facts: Facts) -> Iterable[str]:
    if reached(rotation, "verified"):
        return
    again = [member for member in seen.members if _registers(member, seen, facts)]
    window = seen.timers.tek_life if seen.timers else 0
    yield f"Wait until all {len(seen.members)} members have learned the new key; {_how(again, seen, window)}."
    yield "Send one more rekey, which every member must accept."


def _registers(member: Member, seen: Observation, facts: Facts) -> bool:
    primary = _primary_name(seen)
    release = next((server.release for server in seen.servers if server.name == primary), "")
    return facts.rekey_of(release, member.version) != "in_band"


def _how(again: list[Member], seen: Observation, window: int) -> str:
    if not again:
        return "all of them do so by the rekey"
    if not window:
        return f"{len(again)} may have to register again"
    return f"{len(again)} of {len(seen.members)} may have to register again, within {window} seconds"


def _retire(rotation: Rotation, seen: Observation) -> Iterable[str]:
    if reached(rotation, "retired"):
        return
    timers = seen.timers
    after = f"{timers.kek_life + timers.tek_life} more seconds" if timers else "one more KEK and TEK lifetime"
    yield f"Keep {rotation.old} for {after}, then remove it by its label on every key server, and save."


def _in_the_way(rotation: Rotation, seen: Observation, facts: Facts, policy: Policy) -> Iterable[str]:
    """What would stop it: now, once the new key is everywhere, and once it may be found out what releases do."""
    held = next((server.new for server in seen.servers if server.new), _SOME_KEY)
    ready = dataclasses.replace(seen, servers=tuple(_with_key(server, held) for server in seen.servers))
    consenting = dataclasses.replace(policy, canary=True)
    cases = ((seen, policy), (ready, policy), (ready, consenting))
    found = [decide(rotation, observed, facts, given) for observed, given in cases]
    told = dict.fromkeys(one.why for one in found if one.outcome in ("blocked", "wait"))
    return [f"{NOT_NOW} {why}" for why in told]


def _with_key(server: KeyServer, held: Copy) -> KeyServer:
    return dataclasses.replace(server, new=dataclasses.replace(server.new or held, saved=True))
