# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change of keys, or a convergence, came to. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from .._errors import sentence
from . import findings
from .findings import SHOWN, Finding, listed
from .model import EMERGENCY, Directory, Gateway
from .observed import READY, REFUSED, UNREACHABLE, Observation, Observations, absent
from .plan import DeferredPeer, Plan, Target, reasons_of
from .status import status
from .verify import Proof


@dataclass(frozen=True)
class Changed:
    """One target. `before` and `fingerprint`: its key then and now. `tunnels`: so many are proved to use it.
    `no_tunnel`: the peers whose tunnel is not, although they have it. `pending`: the peers that do not have it yet.
    `idle`: no tunnel was up before, so none is proved, and this is no problem."""

    gateway: str
    before: str | None
    fingerprint: str | None
    serial: int | None
    state: str
    tunnels: int
    no_tunnel: Sequence[str]
    pending: Sequence[str]
    problem: str
    idle: bool = False


@dataclass(frozen=True)
class Outcome:
    gateways: Sequence[Changed]

    def to_result(self) -> dict[str, t.Any]:
        done = all(row.state in ("changed", "revoked", "retired") for row in self.gateways)
        return {"gateways": [asdict(row) for row in self.gateways], "done": done}

    def problems(self, mode: str) -> list[str]:
        """What the task fails for. A tunnel that is not proved does not undo a change, but somebody has to look; after
        an emergency it may still come up."""
        found = [row.problem for row in self.gateways if row.problem]
        return found if mode == EMERGENCY else [*found, *(text for row in self.gateways for text in _unproven(row))]


def _unproven(row: Changed) -> list[str]:
    if not row.no_tunnel or row.problem:
        return []
    return [f"{row.gateway} has no tunnel with its new key to {listed(row.no_tunnel)}, where one was up before."]


def outcome(directory: Directory, made: Plan, proofs: Mapping[str, Proof]) -> Outcome:
    """What a rotation or a revocation came to, for each target, and for those that were left out."""
    changed = [_changed(directory, target, proofs) for target in made.targets]
    return Outcome([*changed, *(_excluded(directory, one) for one in made.excluded)])


def _excluded(directory: Directory, left: DeferredPeer) -> Changed:
    one = directory.gateways.get(left.gateway)
    serial, fingerprint = (one.serial, one.fingerprint) if one else (None, None)
    unfinished = _unfinished(directory, one, begun=True) if one else ""
    following = f". {unfinished}" if unfinished else " and keeps its key; run this again for it."
    pending = directory.peers_pending(left.gateway) if one else ()
    problem = f"{left.why} {left.gateway} was excluded{following}"
    return Changed(left.gateway, fingerprint, fingerprint, serial, "excluded", 0, (), pending, problem)


def _changed(directory: Directory, target: Target, proofs: Mapping[str, Proof]) -> Changed:
    one, proof = directory.gateways.get(target.gateway), proofs.get(target.gateway)
    if one is None:
        problem = f"{target.gateway} is no longer in the directory, or its records were tampered with."
        return Changed(target.gateway, target.fingerprint, None, None, "unknown", 0, (), (), problem)
    return Changed(
        gateway=one.name,
        before=target.fingerprint,
        fingerprint=one.fingerprint,
        serial=one.serial,
        state=_state(one, target),
        tunnels=len(proof.proven) if proof else 0,
        no_tunnel=proof.unproven if proof else (),
        pending=directory.peers_pending(one.name),
        problem=(proof.problem if proof else "") or _unfinished(directory, one, begun=bool(proof) or not proofs),
        idle=bool(proof and proof.nothing_to_prove),
    )


def _unfinished(directory: Directory, one: Gateway, *, begun: bool) -> str:
    """A rotation may be stuck where nothing speaks against the new key: its gateway is away, or cannot write."""
    if not one.rotation:
        return ""
    advice = "Run it again" if one.rotation.mode == EMERGENCY else "Run it again, or abort it"
    state = f"{one.rotation.state}{_why(directory, one, begun)}"
    return f"The rotation of {one.name} is not finished, state {state}. {advice}."


def _why(directory: Directory, one: Gateway, begun: bool) -> str:
    """Why it was left out of what the others did, where that was before it used its new key."""
    rotation = one.rotation
    if not rotation or rotation.mode == EMERGENCY:
        return ""
    if rotation.state == "staged" and not begun:
        return ": its change was not started"
    if rotation.state != "prepared":
        return ""
    lacking = directory.peers_pending(one.name)
    if not rotation.new:
        return ": no new key of it was recorded"
    return f": too few peers accept its new key, and {listed(lacking)} may not accept it yet" if lacking else ""


def _state(one: Gateway, target: Target) -> str:
    if one.gone:
        return one.state
    if one.rotation:
        return f"not finished ({one.rotation.state})"
    return "unchanged" if one.fingerprint == target.fingerprint else "changed"


# ------------------------------------------------------------------ converge


@dataclass(frozen=True)
class Converged:
    """`rows`: one for each gateway that had anything to store, or still has; `findings`: what is left of it."""

    rows: Sequence[dict[str, t.Any]]
    findings: Sequence[Finding]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "gateways": list(self.rows),
            "interrupted": [one.host for one in self.findings if one.kind in findings.OPEN],
            "findings": [one.to_result() for one in self.findings],
        }


LEFT = (findings.STILL_ACCEPTED, findings.FORGED, findings.PENDING, *findings.OPEN)
"""What a convergence knows about."""


def converged(before: Directory, now: Directory, answers: Observations) -> Converged:
    """Who had to store what, and whether it is acknowledged now. `answers`: of those that were told to store it."""
    names = dict.fromkeys([*before.behind, *now.behind, *(host for host in answers if host in now.gateways)])
    asked = {name: answers.get(name) or absent(name) for name in names}
    rows = [_row(before, now, one) for one in asked.values() if _concerns(before, now, one)]
    found = [one for one in status(now, answers).findings if one.kind in LEFT]
    found += [_not_stored(now, one) for one in asked.values() if one.state == REFUSED]
    return Converged(rows, findings.worst_first(found))


def _concerns(before: Directory, now: Directory, one: Observation) -> bool:
    pending = before.pending.count_of(one.host) or now.pending.count_of(one.host)
    return bool(pending or one.state in (READY, REFUSED))


def _row(before: Directory, now: Directory, one: Observation) -> dict[str, t.Any]:
    left = now.pending.count_of(one.host)
    return {
        "gateway": one.host,
        "pending": {"count": before.pending.count_of(one.host), "first": before.pending.pending_of(one.host, SHOWN)},
        "stored": not left and one.state != REFUSED,
        "state": one.state,
        "why": one.why or ("it has not acknowledged everything" if left else ""),
    }


def _not_stored(now: Directory, one: Observation) -> Finding:
    return Finding(findings.NOT_STORED, one.host, f"It did not store what is pending: {sentence(one.why)}")


# ------------------------------------------------------------------ enrollment


def without_an_answer(answers: Observations) -> list[str]:
    """Why gateways told no key, what is the same of several once. `answers`: to the question which key they have."""
    away = {name: f"{name}: {one.reason}" for name, one in answers.items() if one.state in (UNREACHABLE, REFUSED)}
    return reasons_of(away)


def enrolled(directory: Directory) -> list[dict[str, t.Any]]:
    """One row for each gateway in use: its key, and of whom it has still to store the key."""
    return [
        {
            "gateway": name,
            "platform": directory.gateways[name].platform,
            "serial": directory.gateways[name].serial,
            "fingerprint": directory.gateways[name].fingerprint,
            "pending": {"count": directory.pending.count_of(name), "first": directory.pending.pending_of(name, SHOWN)},
        }
        for name in directory.in_use
    ]
