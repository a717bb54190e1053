# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one gateway says about itself. Pure, typed. PRIVATE to the collection.

All of it is the word of `host` about `host`: what it stores, which tunnels it sees, what its own key is. It may be a
lie, and then it is a lie about that host alone.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import sentence, together

READY, REFUSED, UNREACHABLE, ABSENT = "ready", "refused", "unreachable", "absent"
"""Reachability: it answered; it answered in a way that cannot be used; it did not answer; nobody asked it."""

PLACES = ("file", "runtime")
SHOWN = 5
"""Names, and reasons, in one message."""


@dataclass(frozen=True)
class StoredKey:
    """A key that is stored for a peer: fingerprint, the identity that the configuration gives to the peer ("" where it
    gives none), and its role in the file and in the running daemon: current, staged, withdrawn or None."""

    peer: str
    fingerprint: str
    file: str | None
    runtime: str | None

    def role(self, place: str) -> str | None:
        return self.file if place == "file" else self.runtime


@dataclass(frozen=True)
class Tunnel:
    """A live tunnel and the keys (fingerprints) that provably authenticated it, None where that is not known.

    `age`: seconds since then; `by`: the latest moment at which that can have been, in Unix seconds by its own clock.
    """

    peer: str
    with_own: str | None
    with_peer: str | None
    age: float
    by: float


@dataclass(frozen=True)
class Change:
    """The last change of the own key that is not finished. Times are Unix seconds by its own clock."""

    step: str
    key: str
    began: float
    deadline: float
    error: str


@dataclass(frozen=True)
class Blocked:
    """A peer whose keys cannot be stored on that gateway so that they hold: the identity that the configuration gives
    to it, the fingerprint of one of its keys (None where it has none), and why, in sentences."""

    peer: str
    fingerprint: str | None
    why: str


@dataclass(frozen=True)
class Observation:
    """One gateway as it was seen. Fingerprints are SHA-256, hex. Without `seen` nothing but `state`, `why` and `advice`
    counts.

    `advice`: what to check where it was not reached or refused, a sentence, or "".
    `seen`: it said what keys there are; it may be REFUSED all the same, for its `obstacles`.
    `at_restart`: what its next start would change for its peers, in sentences.
    `fetch`: why it has not fetched what was published, in sentences; "" where it has, or does not fetch.
    `findings`: sentences about its answer itself, such as fields that it should not have had.
    """

    host: str
    state: str
    why: str = ""
    seen: bool = False
    own_file: str | None = None
    own_runtime: str | None = None
    pending: str | None = None
    previous: str | None = None
    change: Change | None = None
    stored: tuple[StoredKey, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    at_restart: tuple[str, ...] = ()
    fetch: str = ""
    findings: tuple[str, ...] = ()
    advice: str = ""

    @property
    def reason(self) -> str:
        """Why it cannot be used, and what to check: sentences."""
        return f"{sentence(self.why)} {self.advice}".rstrip()

    @property
    def own(self) -> set[str]:
        """Fingerprints of its own key, in its file and in its running daemon."""
        return {key for key in (self.own_file, self.own_runtime) if key}


def absent(host: str) -> Observation:
    return Observation(host, ABSENT, "not in this play")


Observations = t.Mapping[str, Observation]


def none_observed(observations: Observations) -> str:
    """That of all that were asked not one could be observed, as sentences with the reasons; "" otherwise. One that is
    away is normal, but who asks for the state of a fleet and sees nothing of it has to hear that."""
    asked = [one for one in observations.values() if one.state != ABSENT]
    return _nobody("observed", asked) if asked and not any(one.seen for one in asked) else ""


def none_reached(observations: Observations) -> str:
    """The same where gateways were to store something: that not one of them could be reached."""
    asked = [one for one in observations.values() if one.state != ABSENT]
    return _nobody("reached", asked) if asked and all(one.state == UNREACHABLE for one in asked) else ""


def _nobody(what: str, asked: t.Sequence[Observation]) -> str:
    reasons = together((one.host, one.reason) for one in asked)
    told = [
        f"{', '.join(hosts[:SHOWN])}{' and others' if len(hosts) > SHOWN else ''}: {why}"
        for why, hosts in reasons.items()
    ]
    return " ".join([f"No gateway could be {what}.", *told[:SHOWN]])
