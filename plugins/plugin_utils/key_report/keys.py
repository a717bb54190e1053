# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Age and strength of every key, and keys that are in more than one place. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...module_utils._errors import VpnKeysError
from ...module_utils._fingerprint import short
from ...module_utils._fleet import periods
from ...module_utils._fleet.findings import SHOWN
from ...module_utils._fleet.observed import Observations
from ...module_utils._fleet.periods import DUE, OVERDUE, Calendar, Term
from ...module_utils._fleet.status import FleetStatus
from ...module_utils._ios.labels import SCRATCH_SUFFIX
from ...module_utils._public_key import parse
from . import times
from .findings import Finding

Data = dict[str, t.Any]
IN_USE = ("current", "staged")
KEY_SERVER, GATEWAY = "key server", "gateway"
CLASSES = {KEY_SERVER: periods.KEY_SERVER, GATEWAY: periods.GATEWAY}
# NIST SP 800-57 Part 1: the symmetric strength that a modulus is worth.
RSA_STRENGTH = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))
CURVE_STRENGTH = 128


@dataclass
class Key:
    """One key, wherever its copies are. `name`: its label, or the number of a gateway's key. `accepted`: the gateways
    that may still accept it, though nobody may."""

    kind: str
    owner: str
    name: str
    algorithm: str
    bits: int | None
    fingerprint: str
    state: str
    made: str | None = None
    hosts: list[str] = field(default_factory=list)
    accepted: Sequence[str] = ()

    @property
    def strength(self) -> int | None:
        if self.algorithm != "rsa":
            return CURVE_STRENGTH
        worth = (value for size, value in RSA_STRENGTH if (self.bits or 0) >= size)
        return next(worth, 0) if self.bits else None


# ------------------------------------------------------------------ where they come from


def on_key_servers(compared: Mapping[str, t.Any] | None, listed: Mapping[str, t.Any]) -> list[Key]:
    """From the results of ios_rsa_key_info by host, and for the other hosts from that of ios_rsa_key_compare."""
    found: dict[tuple[str, str, str], Key] = {}
    owners = _owners(compared)
    for host, label, key in (*_listed(listed), *_compared(compared, listed)):
        base = label.removesuffix(SCRATCH_SUFFIX)
        owner = owners.get((host, base), base)
        one = found.setdefault(
            (owner, label, key["fingerprint"]),
            Key(KEY_SERVER, owner, label, "rsa", key["size"], key["fingerprint"], "current"),
        )
        one.hosts.append(host)
        # An imported copy is as young as its import: the oldest copy tells most.
        when = times.moment(key.get("generated"))
        if when and (one.made is None or times.iso(when) < one.made):
            one.made = times.iso(when)
    return sorted(found.values(), key=lambda one: (one.owner, one.fingerprint))


def _owners(compared: Mapping[str, t.Any] | None) -> dict[tuple[str, str], str]:
    """The unit to which a label on a host belongs: two units may use one label for two keys."""
    return {
        (server["host"], unit["label"]): unit_title(unit)
        for unit in (compared or {}).get("units", ())
        for server in unit["key_servers"]
        if unit["label"]
    }


def unit_title(unit: Mapping[str, t.Any]) -> str:
    groups = ", ".join(unit["groups"])
    return f"{unit['label'] or 'no label'} ({groups})" if groups else str(unit["label"])


def _listed(listed: Mapping[str, t.Any]) -> Iterator[tuple[str, str, Data]]:
    for host, result in listed.items():
        for key in result.get("rsa_keys", ()):
            yield host, key["label"], key


def _compared(compared: Mapping[str, t.Any] | None, listed: Mapping[str, t.Any]) -> Iterator[tuple[str, str, Data]]:
    for unit in (compared or {}).get("units", ()):
        for server in unit["key_servers"]:
            if unit["label"] and server["fingerprint"] and "rsa_keys" not in listed.get(server["host"], {}):
                yield server["host"], unit["label"], server


def of_gateways(fleet: FleetStatus) -> list[Key]:
    """All keys of the directory, newest first for each gateway."""
    return [
        Key(
            GATEWAY,
            gateway.name,
            str(key.serial),
            key.algorithm,
            _bits(key.public_key),
            key.fingerprint,
            key.state,
            key.created_at,
            [gateway.name],
            fleet.accepted.get(key.fingerprint, ()),
        )
        for gateway in fleet.directory.gateways.values()
        for key in gateway.keys
    ]


def _bits(text: str) -> int | None:
    try:
        return parse(text).bits
    except VpnKeysError:
        return None


# ------------------------------------------------------------------ what is said of them


def term_of(key: Key, calendar: Calendar) -> Term:
    return calendar.term(CLASSES[key.kind], key.made)


def to_result(key: Key, calendar: Calendar, minimum_size: int) -> Data:
    age, term = times.age_days(key.made, calendar.at), term_of(key, calendar)
    return {
        "kind": key.kind,
        "owner": key.owner,
        "name": key.name,
        "algorithm": key.algorithm,
        "bits": key.bits,
        "strength": key.strength,
        "weak": is_weak(key, minimum_size),
        "fingerprint": key.fingerprint,
        "state": key.state,
        "hosts": sorted(key.hosts),
        "accepted_by": {"count": len(key.accepted), "first": list(key.accepted[:SHOWN])},
        "made": key.made,
        "age_days": age,
        "ends": term.ends,
        "period": term.state if key.state in IN_USE else None,
    }


def is_weak(key: Key, minimum_size: int) -> bool:
    return key.algorithm == "rsa" and key.bits is not None and key.bits < minimum_size


def judge(keys: Iterable[Key], calendar: Calendar, minimum_size: int) -> Iterator[Finding]:
    """Among the keys in use those that are weak, and of key servers those that are due; the status has the others."""
    for key in keys:
        if key.state not in IN_USE:
            continue
        hosts, which = tuple(key.hosts), _which(key)
        if is_weak(key, minimum_size):
            what = f"{which} has {key.bits} bits; at least {minimum_size} are required."
            yield Finding(f"weak {key.kind}", hosts, what)
        term, age = term_of(key, calendar), times.age_days(key.made, calendar.at)
        if key.kind == KEY_SERVER and term.state in (DUE, OVERDUE):
            yield Finding(f"{term.state} {key.kind}", hosts, f"{which} {term.sentence}.", term.ends)
        elif age is not None and age < -1:
            what = f"{which} was generated in the future, according to the clock of its device: {key.made}."
            yield Finding("not judged", hosts, what)


def _which(key: Key) -> str:
    return f"The key {key.name}" if key.kind == KEY_SERVER else f"Its key, serial {key.name},"


def duplicates(keys: Iterable[Key]) -> Iterator[Finding]:
    """One key in the hands of two that should each have their own. Equal copies under one label are no duplicates."""
    places: dict[str, dict[str, str]] = {}
    for key in keys:
        on = f"{key.owner} on {', '.join(sorted(key.hosts))}" if key.kind == KEY_SERVER else key.owner
        places.setdefault(key.fingerprint, {})[key.owner] = on
    for fingerprint, owners in places.items():
        if len(owners) > 1:
            where = ", ".join(sorted(owners.values()))
            what = f"The key {short(fingerprint)} is used by more than one: {where}."
            yield Finding("duplicate", tuple(owners), what)


def borrowed(keys: Iterable[Key], observations: Observations) -> Iterator[Finding]:
    """A gateway that shows the key of a group as its own. That is its word alone."""
    of_groups = {key.fingerprint: key.owner for key in keys if key.kind == KEY_SERVER}
    for host, observation in observations.items():
        for fingerprint in sorted(observation.own & of_groups.keys()):
            what = f"The key {short(fingerprint)}, which it reports as its own, is that of {of_groups[fingerprint]}."
            yield Finding("duplicate", (host,), what)
