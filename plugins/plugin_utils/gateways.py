# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the directory and the looks at the gateways say together: the plan, the proof, the status. Pure.

`view` is the result of key_directory or key_directory_info, `looks` what gateway_info returned (or how it failed) for
each host of the inventory group; a host that was not in the play has none.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Mapping, Sequence

from ..module_utils._errors import VpnKeysError
from ..module_utils._fingerprint import short
from ..module_utils._public_key import parse

Data = dict[str, t.Any]
Looks = Mapping[str, Mapping[str, t.Any]]

MEASURED = "interruption measured"
"""The event that says how long a change of keys took until the tunnels used the new one."""
FRESH = 110.0
"""Seconds after which WireGuard may have shaken hands once more: what is seen then is not the first time."""
READY, REFUSED, UNREACHABLE, ABSENT = "ready", "refused", "unreachable", "absent"
# What a planned change costs each tunnel. The figures come from the benchmark (performance guide).
INTERRUPTION = {
    ("wireguard", "in_place"): "a silence of some hundredths of a second per tunnel, more where packets travel long",
    ("wireguard", "second_interface"): "none",
    ("strongswan", "in_place"): "at most a packet or two per tunnel",
}
EMERGENCY_INTERRUPTION = "every tunnel of the gateway is down for some seconds, until its peers have the new key"


def reached(look: Mapping[str, t.Any]) -> tuple[str, str]:
    """How far a host was reached, and why no farther."""
    if not look:
        return ABSENT, "not in this play"
    if look.get("unreachable"):
        return UNREACHABLE, "unreachable"
    if "acknowledgements" in look:
        return READY, ""
    if "gateway" not in look:
        return REFUSED, str(look.get("msg") or "it could not be looked at")
    if look.get("obstacles"):
        return REFUSED, " ".join(look["obstacles"])
    return READY, ""


# ------------------------------------------------------------------ plan


def plan(view: Mapping[str, t.Any], looks: Looks, targets: Sequence[str], options: Mapping[str, t.Any]) -> Data:
    """Who will change, who is out of reach, and every reason not to begin."""
    gateways = view["directory"]["gateways"]
    emergency = options["mode"] == "emergency"
    against = _against_abort if options["mode"] == "abort" else _against_target
    states = {name: reached(looks.get(name, {})) for name in {*gateways, *targets}}
    peers = _peers(gateways, targets)
    found = _sorted_out(peers, states)
    ready, away, refused = found["peers"], [one["gateway"] for one in found["unreachable"]], found["refused"]
    refusals = [text for name in targets for text in against(name, gateways, states, looks, emergency)]
    refusals += [f"{one['gateway']}: {one['what']}." for one in view["directory"]["tampered"]]
    if options["mode"] == "planned":
        refusals += [f"{one['gateway']}: {one['why'].rstrip('.')}." for one in refused if one["gateway"] not in targets]
        if away and options["unreachable"] == "fail":
            refusals.append(f"{', '.join(away)} cannot be reached, and unreachable peers are not to be left for later.")
        if peers and 100 * len(ready) < options["minimum_share"] * len(peers):
            refusals.append(
                f"Only {len(ready)} of {len(peers)} peers can be reached, and {options['minimum_share']} % are needed."
            )
    return {
        "names": list(targets),
        "targets": _targets(gateways, targets, options),
        **found,
        "refusals": refusals,
        "digest": _digest(gateways, targets, peers, options),
    }


def _digest(
    gateways: Mapping[str, t.Any], targets: Sequence[str], peers: Sequence[str], options: Mapping[str, t.Any]
) -> str:
    """SHA-256 (hex) of what an approval is bound to: who changes, from which key, how, and who has to store it.

    Not of who is in reach, which changes by the minute and has options of its own; nor of how far a rotation has
    come, as one that was approved and interrupted is to be finished.
    """
    changed = _targets(gateways, targets, options)
    content = {
        "targets": [[one["gateway"], one["serial"], one["fingerprint"]] for one in changed],
        "peers": peers,
        "mode": options["mode"],
        "strategy": options["strategy"],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def not_approved(planned: Mapping[str, t.Any], approved: Sequence[str] | None) -> list[str]:
    """Why a plan is not the one that was approved; without any approval, every plan is."""
    if approved is None or planned["digest"] in approved:
        return []
    what = f"The plan for {', '.join(planned['names'])}"
    if not any(approved):
        return [f"{what} is not approved."]
    differs = f"its digest is {planned['digest']}, and approved is {', '.join(approved)}"
    return [f"{what} has changed since it was approved: {differs}. Plan again, and have that approved."]


def dropped(view: Mapping[str, t.Any], answers: Looks, planned: Mapping[str, t.Any]) -> Data:
    """The plan, with who has really been reached; `answers` are results of gateway_peers."""
    gateways = view["directory"]["gateways"]
    peers = _peers(gateways, planned["names"])
    return {**planned, **_sorted_out(peers, {name: reached(answers.get(name, {})) for name in peers})}


def still_accept(planned: Mapping[str, t.Any]) -> list[str]:
    """Peers that were reached and yet failed to drop a key: that waits for nobody's return, it has to be mended."""
    return [
        f"{one['gateway']} still accepts the old key: {one['why'].rstrip('.')}. Mend that, then run converge_gateways."
        for one in planned["refused"]
    ]


def _peers(gateways: Mapping[str, t.Any], targets: Sequence[str]) -> list[str]:
    """Who stores a key of any of these."""
    return sorted(
        name
        for name, one in gateways.items()
        if not one["revoked"] and any(name != target and _same(gateways, name, target) for target in targets)
    )


def _sorted_out(peers: Sequence[str], states: Mapping[str, tuple[str, str]]) -> Data:
    def those(*wanted: str) -> list[Data]:
        return [{"gateway": name, "why": states[name][1]} for name in peers if states[name][0] in wanted]

    return {
        "peers": [one["gateway"] for one in those(READY)],
        "unreachable": those(UNREACHABLE, ABSENT),
        "refused": those(REFUSED),
    }


def _targets(gateways: Mapping[str, t.Any], targets: Sequence[str], options: Mapping[str, t.Any]) -> list[Data]:
    return [_target(name, gateways, options) for name in targets]


def _target(name: str, gateways: Mapping[str, t.Any], options: Mapping[str, t.Any]) -> Data:
    one = gateways.get(name, {})
    strategy = options["strategy"] if one.get("platform") == "wireguard" else "in_place"
    cost = INTERRUPTION.get((one.get("platform", ""), strategy), "")
    rotation = one.get("rotation")
    return {
        "gateway": name,
        "platform": one.get("platform"),
        "serial": ((rotation and rotation["old"]) or one).get("serial"),
        "fingerprint": ((rotation and rotation["old"]) or one).get("fingerprint"),
        "resumes": rotation and rotation["state"],
        "interruption": EMERGENCY_INTERRUPTION if options["mode"] == "emergency" else cost,
    }


def _same(gateways: Mapping[str, t.Any], one: str, other: str) -> bool:
    return bool(gateways[one]["platform"] == gateways.get(other, {}).get("platform"))


def _against_target(
    name: str, gateways: Mapping[str, t.Any], states: Mapping[str, tuple[str, str]], looks: Looks, emergency: bool
) -> list[str]:
    """Why this gateway's key cannot be changed now."""
    if name not in gateways:
        known = ", ".join(sorted(gateways)) or "none"
        return [f"The directory does not know a gateway {name}; it knows {known}."]
    if gateways[name]["revoked"]:
        return [f"{name} is revoked; enroll it again first."]
    state, why = states[name]
    if state != READY:
        return [] if emergency and state != REFUSED else [f"{name}: {why.rstrip('.')}."]
    own = looks[name]["gateway"]["own"]
    keys = {key["fingerprint"] for key in own.values() if key}
    expected = _expected(gateways[name])
    if not keys:
        return [f"{name} has no key yet; enroll it first."]
    if not keys & expected and not emergency:
        found = ", ".join(sorted(short(key) for key in keys))
        recorded = short(gateways[name]["fingerprint"])
        advice = "enroll it with gateway_keys_adopt=true if its own key is the right one"
        return [f"{name} uses the key {found}, but the directory says {recorded}; {advice}."]
    return []


def _against_abort(
    name: str, gateways: Mapping[str, t.Any], states: Mapping[str, tuple[str, str]], looks: Looks, emergency: bool
) -> list[str]:
    """Why this gateway cannot go back to its old key now."""
    rotation = gateways.get(name, {}).get("rotation")
    if not rotation:
        return [f"No rotation of {name} is open, so there is none to abort."]
    if rotation["mode"] == "emergency":
        return [f"The old key of {name} is revoked and cannot come back; run the rotation again to finish it."]
    state, why = states[name]
    if state != READY:
        return [f"{name}: {why.rstrip('.')}. Its key cannot be put back now."]
    gateway = looks[name]["gateway"]
    there = {key["fingerprint"] for key in (*gateway["own"].values(), gateway["previous"]) if key}
    if rotation["old"]["fingerprint"] not in there:
        return [f"The old key of {name} is destroyed and cannot come back; run the rotation again to finish it."]
    return []


def _expected(gateway: Mapping[str, t.Any]) -> set[str]:
    """Fingerprints that the gateway may use now: two while a rotation is open."""
    rotation = gateway["rotation"] or {}
    return {
        one["fingerprint"] for one in (gateway, rotation.get("old"), rotation.get("new")) if one and one["fingerprint"]
    }


def _acceptable(gateway: Mapping[str, t.Any]) -> set[str]:
    """Fingerprints of it that its peers may store now: in an emergency not the old one."""
    rotation = gateway["rotation"] or {}
    dropped = rotation["old"] if rotation.get("mode") == "emergency" else None
    return _expected(gateway) - {dropped and dropped["fingerprint"]}


# ------------------------------------------------------------------ proof


def prove(view: Mapping[str, t.Any], before: Looks, after: Looks, targets: Sequence[str]) -> dict[str, Data]:
    """For each target: whether its new key carries the tunnels that were up before, and which it does not carry.

    A tunnel counts as up before, if either end said so; after an emergency, where nobody looked before, all are asked
    for, and one that is not up yet is no failure. The proof may come from either end as well: with WireGuard
    from the peer, which sees a handshake with the new key; with strongSwan from the gateway, which has no other key.
    """
    gateways = view["directory"]["gateways"]
    were, are = (_by_gateway(gateways, looks, "tunnels", "with_peer") for looks in (before, after))
    return {name: _proof(name, gateways, after, were, are) for name in targets}


def _proof(name: str, gateways: Mapping[str, t.Any], after: Looks, were: Told, are: Told) -> Data:
    rotation = gateways[name]["rotation"] or {}
    new = (rotation.get("new") or gateways[name])["fingerprint"]
    accepted = _expected(gateways[name])
    own = after.get(name, {}).get("gateway", {}).get("own", {}).get("runtime")
    change = after.get(name, {}).get("gateway", {}).get("change") or {}
    emergency = rotation.get("mode") == "emergency"
    proven, unproven, away = [], [], []
    for peer, other in gateways.items():
        if peer == name or other["platform"] != gateways[name]["platform"] or other["revoked"]:
            continue
        if not emergency and not _up(name, peer, gateways, were, accepted):
            continue
        if _carries(name, peer, gateways, are, new):
            proven.append(peer)
        elif "gateway" in after.get(peer, {}):
            unproven.append(peer)
        else:
            away.append(peer)
    problem = ""
    if "gateway" not in after.get(name, {}):
        problem = f"{name} could not be looked at after the change ({reached(after.get(name, {}))[1]})."
    elif own is not None and own["fingerprint"] != new:
        problem = f"{name} does not use its new key: {change.get('error') or 'the old one has come back.'}"
    elif unproven and not emergency:
        problem = f"{name} has no tunnel by its new key to {', '.join(unproven)}, where one was up before."
    measured = None if emergency or problem else _measured(name, gateways, change, are[name], new, [*proven, *away])
    return {
        "verified": not problem,
        "problem": problem,
        "proven": proven,
        "unproven": unproven,
        "away": away,
        "measured": measured,
    }


def _measured(
    name: str,
    gateways: Mapping[str, t.Any],
    change: Mapping[str, t.Any],
    tunnels: Mapping[str, list[Data]],
    new: str,
    peers: Sequence[str],
) -> Data | None:
    """An event for the directory: the time from the change of the key until the last of the tunnels used the new one,
    by the clock of the gateway alone. None where that cannot be told.

    It is never shorter than the silence was: the change begins before the old key goes, and of each tunnel the latest
    moment counts at which it can have been authenticated.
    """
    rotation, began = gateways[name]["rotation"], change.get("began")
    seen = {
        peer: tunnel["by"] - began
        for peer in peers
        for tunnel in (tunnels.get(peer, ()) if began else ())
        if tunnel["with_own"] == new and _leads_to(tunnel, gateways[peer])
    }
    if not rotation or not seen or not 0 <= min(seen.values()) <= max(seen.values()) < FRESH:
        return None
    details = {
        "rotation": rotation["id"],
        "seconds": round(max(seen.values()), 3),
        "tunnels": len(seen),
        "missing": len(peers) - len(seen),
    }
    return {"what": MEASURED, "gateway": name, "outcome": "done", "details": details}


def _up(name: str, peer: str, gateways: Mapping[str, t.Any], told: Told, keys: set[str]) -> bool:
    """Whether either end saw a tunnel between these two."""
    theirs = any(tunnel["with_peer"] in keys for tunnel in _between(told, peer, name))
    return theirs or any(_leads_to(tunnel, gateways[peer]) for tunnel in _between(told, name, peer))


def _carries(name: str, peer: str, gateways: Mapping[str, t.Any], told: Told, new: str) -> bool:
    """Whether either end proves that the new key authenticated the tunnel between these two."""
    if any(tunnel["with_peer"] == new for tunnel in _between(told, peer, name)):
        return True
    ours = _between(told, name, peer)
    return any(tunnel["with_own"] == new and _leads_to(tunnel, gateways[peer]) for tunnel in ours)


Told = dict[str, dict[str, list[Data]]]
"""Of each host: what it tells about each gateway."""


def _by_gateway(gateways: Mapping[str, t.Any], looks: Looks, what: str, key: str) -> Told:
    """What the looks tell, by the gateway that its key or its identity belongs to: no work per pair of hosts."""
    owner = {mark: name for name, one in gateways.items() for mark in _known(one) | _expected(one)}
    named: dict[str, list[str]] = {}
    for name, one in gateways.items():
        named.setdefault(one["identity"] or name, []).append(name)
    told: Told = {name: {} for name in {*gateways, *looks}}
    for host, look in looks.items():
        for entry in look.get("gateway", {}).get(what, ()):
            for name in {owner.get(entry[key], ""), *named.get(entry["peer"], ())} - {""}:
                told[host].setdefault(name, []).append(entry)
    return told


def _between(told: Told, host: str, gateway: str) -> list[Data]:
    return told[host].get(gateway, [])


def _known(gateway: Mapping[str, t.Any]) -> set[str]:
    return {parse(text).fingerprint for text in gateway["known_keys"]}


def _leads_to(tunnel: Mapping[str, t.Any], gateway: Mapping[str, t.Any]) -> bool:
    identity = gateway["identity"] or gateway["name"]
    return bool(tunnel["peer"] == identity or (tunnel["with_peer"] and tunnel["with_peer"] in _expected(gateway)))


# ------------------------------------------------------------------ outcome


def outcome(view: Mapping[str, t.Any], planned: Mapping[str, t.Any], proofs: Mapping[str, t.Any]) -> Data:
    """What a rotation or a revocation came to, for each target."""
    gateways = view["directory"]["gateways"]
    rows = []
    for target in planned["targets"]:
        one = gateways[target["gateway"]]
        proof = proofs.get(target["gateway"], {})
        pending = sorted(peer for peer, names in view["owed"].items() if target["gateway"] in names)
        rows.append(
            {
                "gateway": target["gateway"],
                "before": target["fingerprint"],
                "fingerprint": one["fingerprint"],
                "serial": one["serial"],
                "state": _state(one, target),
                "tunnels": len(proof.get("proven", [])),
                "no_tunnel": proof.get("unproven", []),
                "pending": pending,
                "problem": proof.get("problem") or _unfinished(one),
            }
        )
    return {"gateways": rows, "done": all(row["state"] in ("changed", "revoked") for row in rows)}


def _unfinished(one: Mapping[str, t.Any]) -> str:
    """A rotation may be stuck where nothing speaks against the new key: its gateway is away, or cannot write."""
    rotation = one["rotation"]
    if not rotation:
        return ""
    advice = "Run it again" if rotation["mode"] == "emergency" else "Run it again, or abort it"
    return f"The rotation of {one['name']} is not finished, state {rotation['state']}. {advice}."


def _state(one: Mapping[str, t.Any], target: Mapping[str, t.Any]) -> str:
    if one["revoked"]:
        return "revoked"
    if one["rotation"]:
        return f"not finished ({one['rotation']['state']})"
    return "unchanged" if one["fingerprint"] == target["fingerprint"] else "changed"


# ------------------------------------------------------------------ converge


def converged(view: Mapping[str, t.Any], looks: Looks) -> Data:
    """Who was owed what, and whether it is stored now."""
    rows = []
    for name, owed in sorted(view["owed"].items()):
        state, why = reached(looks.get(name, {}))
        rows.append({"gateway": name, "owed": owed, "stored": state == READY, "state": state, "why": why})
    interrupted = [name for name, one in view["directory"]["gateways"].items() if one["rotation"]]
    return {"gateways": rows, "interrupted": interrupted}


# ------------------------------------------------------------------ status


def status(view: Mapping[str, t.Any], looks: Looks) -> Data:
    """Directory, gateways and peers side by side: one row per gateway, and every difference as a sentence."""
    gateways = view["directory"]["gateways"]
    owner = {mark: name for name, one in gateways.items() for mark in _known(one)}
    stored = _by_gateway(gateways, looks, "stored", "fingerprint")
    tunnels = _by_gateway(gateways, looks, "tunnels", "with_peer")
    owed = {peer: set(names) for peer, names in view["owed"].items()}
    differences = [f"{one['gateway']}: {one['what']}." for one in view["directory"]["tampered"]]
    notes: list[str] = []
    rows = []
    stored_by: dict[str, list[str]] = {}
    for name, one in gateways.items():
        look = looks.get(name, {})
        state, why = reached(look)
        if state == REFUSED:
            differences.append(f"{name}: {why.rstrip('.')}.")
        here = own_differences(name, one, look)
        differences += here
        holders = _holders(name, one, gateways, looks, stored, tunnels)
        differences += holders["differences"]
        stored_by[name] = holders["neighbours"]
        pending = sorted(peer for peer, names in owed.items() if name in names)
        rotation = one["rotation"]
        if rotation:
            ways = {"emergency": "Run it again with gateway_keys_mode=emergency to finish it."}
            notes.append(
                f"{name}: a rotation ({rotation['mode']}) begun by {rotation['begun_by']} at {rotation['begun_at']} is "
                f"open, state {rotation['state']}. "
                + ways.get(rotation["mode"], "Run it again to finish it, or abort it.")
            )
        if pending and one["revoked"]:
            differences.append(f"{name} is revoked, and {', '.join(pending)} may still accept it. Converge.")
        elif pending:
            notes.append(f"{name}: its key is still to reach {', '.join(pending)}, which may accept an older one.")
        rows.append(
            {
                "gateway": name,
                "platform": one["platform"],
                "algorithm": one["algorithm"],
                "serial": one["serial"],
                "fingerprint": one["fingerprint"],
                "since": one["created_at"],
                "state": "revoked" if one["revoked"] else f"rotation {rotation['state']}" if rotation else "current",
                "reached": state,
                "own": "differs" if here else "as recorded" if state == READY and not one["revoked"] else "-",
                "stored_by": len(holders["right"]),
                "neighbours": len(holders["neighbours"]),
                "tunnels": len(holders["up"]),
                "pending": pending,
            }
        )
    differences += _one_sided(gateways, looks, stored_by)
    if looks and not gateways:
        differences.append("No gateway is in the directory.")
    notes += _strangers(looks, owner)
    for host in sorted(looks.keys() - gateways.keys()):
        state, why = reached(looks[host])
        notes.append(f"{host} is in the inventory but not in the directory; enroll it.")
        notes += [f"{host}: {why.rstrip('.')}."] if state == REFUSED else []
    away = [name for name in gateways if reached(looks.get(name, {}))[0] in (ABSENT, UNREACHABLE)]
    if away:
        notes.append(f"Not looked at: {', '.join(away)}.")
    return {"gateways": rows, "differences": differences, "notes": notes, "in_line": not differences}


def own_differences(name: str, one: Mapping[str, t.Any], look: Mapping[str, t.Any]) -> list[str]:
    if "gateway" not in look or one["revoked"]:
        return []
    own = look["gateway"]["own"]
    prints = {place: key["fingerprint"] for place, key in own.items() if key}
    expected = _expected(one)
    found = []
    for key in sorted(set(prints.values()) - expected):
        where = _where([place for place in prints if prints[place] == key])
        recorded = short(one["fingerprint"]) if one["fingerprint"] else "that it has none"
        found.append(f"{name} has the key {short(key)} {where}, the directory says {recorded}.")
    if not found and len(set(prints.values())) > 1 and not one["rotation"]:
        found.append(f"{name} has one key in its file and another one in its running daemon.")
    if own.get("file") is None:
        found.append(f"{name} has no key in its file.")
    return found


def _holders(
    name: str, one: Mapping[str, t.Any], gateways: Mapping[str, t.Any], looks: Looks, stored: Told, tunnels: Told
) -> dict[str, list[str]]:
    """Which peers store which key of a gateway, in their files and in their running daemons."""
    right, neighbours, up, differences = [], [], [], []
    current = None if one["revoked"] else one["fingerprint"]
    accepted = set() if one["revoked"] else _acceptable(one)
    serials = {parse(text).fingerprint: number for number, text in _numbered(one)}
    for peer, look in looks.items():
        if peer == name or "gateway" not in look or peer not in gateways or gateways[peer]["revoked"]:
            continue
        entries = _between(stored, peer, name)
        places = {
            place: {entry["fingerprint"] for entry in entries if entry[place] == "current"}
            for place in ("file", "runtime")
        }
        if entries:
            neighbours.append(peer)
        if current and all(keys == {current} for keys in places.values()):
            right.append(peer)
        for key in sorted(set().union(*places.values()) - accepted):
            where = _where([place for place, keys in places.items() if key in keys])
            which = f"serial {serials[key]}" if key in serials else f"the unknown key {short(key)}"
            wanted = f"serial {one['serial']} is current" if current else "that is revoked"
            differences.append(f"{peer} stores {which} of {name} {where}; {wanted}. Converge it.")
        empty = [place for place, keys in places.items() if not keys]
        if entries and current and 0 < len(empty) < len(places):
            differences.append(f"{peer} stores no key of {name} {_where(empty)}. Converge it with gateway_keys_full.")
        if any(tunnel["with_peer"] in accepted or _leads_to(tunnel, one) for tunnel in _between(tunnels, peer, name)):
            up.append(peer)
    return {"right": right, "neighbours": neighbours, "up": up, "differences": differences}


PLACES = {"file": "in its file", "runtime": "in its running daemon"}


def _where(places: Sequence[str]) -> str:
    return " and ".join(PLACES[place] for place in places)


def _numbered(one: Mapping[str, t.Any]) -> list[tuple[int, str]]:
    keys = list(reversed(one["known_keys"]))
    return list(enumerate(keys, 1))


def _one_sided(gateways: Mapping[str, t.Any], looks: Looks, stored_by: Mapping[str, list[str]]) -> list[str]:
    """Tunnels of which only one end has a key."""
    holders_of = {name: set(holders) for name, holders in stored_by.items()}
    return [
        f"{peer} stores no key of {name}, which stores one of {peer}. Converge it with gateway_keys_full."
        for peer, holders in stored_by.items()
        for name in holders
        if "gateway" in looks.get(peer, {})
        and peer not in holders_of[name]
        and not (gateways[name]["revoked"] or gateways[peer]["revoked"])
    ]


def _strangers(looks: Looks, owner: Mapping[str, str]) -> list[str]:
    """Keys of somebody who is no gateway of the directory: theirs are left alone, but people should know."""
    notes = []
    for host, look in looks.items():
        keys = [
            entry["fingerprint"]
            for entry in look.get("gateway", {}).get("stored", [])
            if entry["fingerprint"] not in owner and not entry["peer"]
        ]
        if keys:
            notes.append(
                f"{host} stores {len(keys)} key{'s' if len(keys) > 1 else ''} of nobody in the directory: "
                f"{', '.join(short(key) for key in keys)}. They are left alone."
            )
    return notes


def check_names(names: Sequence[str], confirm: Sequence[str], known: Sequence[str]) -> list[str]:
    """The gateways that are meant, once they have been typed again. Raises VpnKeysError(bad_input)."""
    if not names:
        raise VpnKeysError("bad_input", "Name the gateway (gateway=gw1), several of them, or all. Nothing was changed.")
    if list(names) != list(confirm):
        raise VpnKeysError(
            "bad_input",
            f"The confirmation {','.join(confirm) or '(none)'} is not {','.join(names)}. Nothing was changed; type the "
            f"same again (confirm={','.join(names)}).",
        )
    wanted = list(known) if list(names) == ["all"] else list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise VpnKeysError(
            "bad_input",
            f"The directory does not know {', '.join(unknown)}; it knows {', '.join(known) or 'no gateway'}. "
            "Nothing was changed.",
        )
    return wanted
