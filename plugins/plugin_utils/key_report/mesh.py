# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who stores which key of whom, as the directory and the looks at the gateways say together. Pure."""

from __future__ import annotations

import functools
import typing as t
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .. import gateways as judging
from .findings import Finding, about, natural

Data = dict[str, t.Any]
RIGHT, CHANGING, PENDING, DRIFT, UNSEEN, APART = "right", "changing", "pending", "drift", "unseen", "apart"
STATES = {
    RIGHT: "holds the current key and no other",
    CHANGING: "holds the next key beside the current one",
    PENDING: "has still to store what the directory says",
    DRIFT: "holds something else than the directory says",
    UNSEEN: "not looked at",
    APART: "no tunnel is configured",
}
PLACES = {"file": "its file", "runtime": "its running daemon"}
ACCEPTED = ("current", "staged")
MOST = 8
"""So many pairs are named in a sentence."""


@dataclass(frozen=True)
class Cell:
    """What one gateway holds of another one. `serials`: as numbers, `?` for a key that the directory does not know.
    `only`: the one place where there is a key at all."""

    holder: str
    owner: str
    state: str
    serials: tuple[str, ...] = ()
    only: str = ""
    tunnel: bool = False

    @property
    def text(self) -> str:
        return "+".join(self.serials) or "-"


class Mesh:
    """All pairs. What every gateway stores is indexed once, as there are as many pairs as gateways squared."""

    def __init__(self, view: Mapping[str, t.Any], looks: Mapping[str, t.Any]) -> None:
        self.gateways: Mapping[str, Data] = view["directory"]["gateways"]
        self.owed: Mapping[str, list[str]] = view["owed"]
        self.looks = looks
        self.serials = {one["fingerprint"]: (one["gateway"], one["serial"]) for one in view["all_keys"]}
        self.identities = {one["identity"] or name: name for name, one in self.gateways.items()}
        self.stored = {name: self._stored(look) for name, look in looks.items() if "gateway" in look}
        self.tunnels = {name: self._tunnels(look) for name, look in looks.items() if "gateway" in look}

    def _owner(self, fingerprint: str | None, identity: str) -> str | None:
        known = self.serials.get(fingerprint or "")
        return known[0] if known else self.identities.get(identity) if identity else None

    def _stored(self, look: Mapping[str, t.Any]) -> dict[str | None, list[Data]]:
        found: dict[str | None, list[Data]] = {}
        for entry in look["gateway"]["stored"]:
            found.setdefault(self._owner(entry["fingerprint"], entry["peer"]), []).append(entry)
        return found

    def _tunnels(self, look: Mapping[str, t.Any]) -> set[str]:
        owners = (self._owner(one["with_peer"], one["peer"]) for one in look["gateway"]["tunnels"])
        return {owner for owner in owners if owner}

    # ------------------------------------------------------------------ pairs

    @functools.cached_property
    def names(self) -> list[str]:
        """Those that have been revoked come last."""
        return sorted(self.gateways, key=lambda name: (self.gateways[name]["revoked"], natural(name)))

    def row(self, holder: str) -> dict[str, Cell]:
        """What one gateway holds of all others."""
        return self._rows[holder]

    @functools.cached_property
    def _rows(self) -> dict[str, dict[str, Cell]]:
        return {
            holder: {owner: self._cell(holder, owner) for owner in self.names if owner != holder}
            for holder in self.names
        }

    def _cell(self, holder: str, owner: str) -> Cell:
        there, one = self.gateways[holder], self.gateways[owner]
        if there["platform"] != one["platform"] or there["revoked"]:
            return Cell(holder, owner, APART)
        pending = owner in self.owed.get(holder, ())
        if holder not in self.stored:
            return Cell(holder, owner, PENDING if pending else UNSEEN)
        stored = self.stored[holder].get(owner, [])
        accepted = {place: {one["fingerprint"] for one in stored if one[place] in ACCEPTED} for place in PLACES}
        current = [{one["fingerprint"] for one in stored if one[place] == "current"} for place in PLACES]
        state = self._state(one, set().union(*accepted.values()), current, holder in self.stored.get(owner, {}))
        if pending and state in (DRIFT, CHANGING, APART):
            state = PENDING
        serials = sorted({self._serial(owner, key) for keys in accepted.values() for key in keys})
        places = [place for place, keys in accepted.items() if keys]
        only = places[0] if len(places) == 1 else ""
        tunnel = owner in self.tunnels[holder] or holder in self.tunnels.get(owner, ())
        return Cell(holder, owner, state, tuple(serials), only, tunnel)

    def _state(self, one: Data, accepted: set[str], current: list[set[str]], stores_back: bool) -> str:
        rotation = one["rotation"] or {}
        may = {key["fingerprint"] for key in (one, rotation.get("old"), rotation.get("new")) if key}
        if not accepted:
            return DRIFT if stores_back and not one["revoked"] else APART
        if accepted == {one["fingerprint"]} and all(keys == accepted for keys in current):
            return RIGHT
        return CHANGING if rotation and accepted <= may else DRIFT

    def _serial(self, owner: str, fingerprint: str) -> str:
        known = self.serials.get(fingerprint)
        return str(known[1]) if known and known[0] == owner else "?"

    # ------------------------------------------------------------------ all of it

    def shown(self) -> Data:
        """One row per gateway, and every pair that is not simply as it should be."""
        names, rows, cells = self.names, [], []
        for holder in names:
            row = list(self.row(holder).values())
            cells += [one for one in row if one.state in (CHANGING, PENDING, DRIFT)]
            rows.append(self._row(holder, row))
        return {
            "gateways": rows,
            "cells": [
                {"holder": one.holder, "owner": one.owner, "state": one.state, "serials": list(one.serials),
                 "wanted": self.gateways[one.owner]["serial"]}
                for one in cells
            ],
        }  # fmt: skip

    def _row(self, name: str, row: list[Cell]) -> Data:
        one, counts = self.gateways[name], Counter(cell.state for cell in row)
        rotation = one["rotation"]
        reached, why = judging.reached(self.looks.get(name, {}))
        return {
            "gateway": name,
            "platform": one["platform"],
            "algorithm": one["algorithm"],
            "serial": one["serial"],
            "fingerprint": one["fingerprint"],
            "state": "revoked" if one["revoked"] else f"rotation {rotation['state']}" if rotation else "current",
            "looked_at": name in self.stored,
            "why_not": "" if name in self.stored else why or reached,
            "holds": {state: counts[state] for state in STATES if counts[state]},
            "tunnels": sum(cell.tunnel for cell in row),
        }

    def drift(self) -> Iterator[Finding]:
        """One finding per gateway, however many keys it holds wrongly."""
        for holder in self.stored:
            row = self.row(holder) if holder in self.gateways else {}
            wrong = [self._sentence(cell) for cell in row.values() if cell.state == DRIFT]
            if wrong:
                more = f"; and so on, {len(wrong)} in all" if len(wrong) > MOST else ""
                yield about("drifted gateway", holder, f"It holds {'; '.join(wrong[:MOST])}{more}.")

    def _sentence(self, cell: Cell) -> str:
        one = self.gateways[cell.owner]
        if not cell.serials:
            return f"no key of {cell.owner}, which holds one of it"
        only = f" in {PLACES[cell.only]} only" if cell.only else ""
        which = "an unknown key" if cell.serials == ("?",) else f"serial {cell.text.replace('?', 'an unknown key')}"
        wanted = "which is revoked" if one["revoked"] else f"where serial {one['serial']} is current"
        return f"{which} of {cell.owner}{only}, {wanted}"

    def strangers(self) -> Iterator[Finding]:
        """Keys of nobody in the directory, in the hands of gateways that accept them."""
        for name, stored in self.stored.items():
            number = len({entry["fingerprint"] for entry in stored.get(None, ())})
            if number:
                word = "key" if number == 1 else "keys"
                yield about("unknown keys", name, f"It accepts {number} {word} of nobody in the directory.")


def judge(view: Mapping[str, t.Any], looks: Mapping[str, t.Any]) -> Iterator[Finding]:
    """What directory and gateways say against each other, and what is not finished."""
    for one in view["directory"]["tampered"]:
        serial = f" {one['serial']}" if one.get("serial") else ""
        yield about("tampered", one["gateway"], f"Its {one['what']}{serial} is not as the directory signed it.")
    for name, one in view["directory"]["gateways"].items():
        if rotation := one["rotation"]:
            yield about(
                "unfinished",
                name,
                f"A rotation ({rotation['mode']}) begun by {rotation['begun_by']} at {rotation['begun_at']} is open, "
                f"state {rotation['state']}.",
            )
        look = looks.get(name, {})
        state, why = judging.reached(look)
        if state == judging.REFUSED:
            yield about("unreadable", name, why)
        elif state != judging.READY and not one["revoked"]:
            yield about("not looked at", name, f"It was not looked at ({why}).")
        for sentence in judging.own_differences(name, one, look):
            yield about("drifted gateway", name, sentence)
    for name, owed in view["owed"].items():
        lost = [one for one in owed if view["directory"]["gateways"].get(one, {}).get("revoked")]
        if lost:
            yield about("not dropped", name, f"It may still accept what is revoked: {', '.join(lost)}.")
        if waiting := [one for one in owed if one not in lost]:
            yield about("pending", name, f"It has still to store the keys of {', '.join(waiting)}.")
    for name in looks:
        if name not in view["directory"]["gateways"] and not any(
            name == one["gateway"] for one in view["directory"]["tampered"]
        ):
            yield about("not enrolled", name, "It is in the inventory, but not in the directory.")
