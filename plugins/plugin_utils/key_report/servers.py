# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key servers of each group: who holds which key, and what is wrong with that. Pure."""

from __future__ import annotations

import string
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ...module_utils._errors import NOTHING_WRITTEN, VpnKeysError
from ...module_utils._fleet.findings import FORGED
from .findings import Finding, about
from .keys import unit_title

Data = dict[str, t.Any]
VERDICTS = {
    "in_sync": "all have the same key",
    "absent": "no key server has the key",
    "missing": "the key is missing on some",
    "conflict": "the keys differ",
    "split": "more than one key server says that it is the primary",
    "unknown": "not known",
}
DRIFTED = ("absent", "missing", "conflict")


UNIT = ("label", "groups", "verdict", "fingerprint", "primary", "registered_members", "key_servers")


def check(
    compared: Mapping[str, t.Any] | None, listed: Mapping[str, t.Any], groups: Mapping[str, t.Any]
) -> None:
    """Raises VpnKeysError(bad_input) for what are no results of ios_rsa_key_compare, ios_rsa_key_info, getvpn_info."""
    each = (compared or {}).get("units", [])
    sound = (
        isinstance(each, list)
        and isinstance((compared or {}).get("tampered", []), list)
        and all(isinstance(one, Mapping) and all(name in one for name in UNIT) for one in each)
        and all(name in server for one in each for server in one["key_servers"] for name in SHOWN)
        and all(isinstance(one, Mapping) for results in (listed, groups) for one in results.values())
    )
    if not sound:
        raise VpnKeysError(
            "bad_input",
            "O(key_servers), O(rsa_keys) and O(groups) must be results of ios_rsa_key_compare, ios_rsa_key_info and "
            "getvpn_info",
            state=NOTHING_WRITTEN,
        )


def units(compared: Mapping[str, t.Any] | None, groups: Mapping[str, t.Any]) -> list[Data]:
    return [_unit(unit, groups) for unit in (compared or {}).get("units", ())]


def _unit(unit: Mapping[str, t.Any], groups: Mapping[str, t.Any]) -> Data:
    letters = _letters(unit["key_servers"])
    return {
        "title": unit_title(unit),
        "label": unit["label"],
        "groups": list(unit["groups"]),
        "verdict": unit["verdict"],
        "says": VERDICTS[unit["verdict"]],
        "fingerprint": unit["fingerprint"] or _of_primary(unit),
        "primary": unit["primary"],
        "registered_members": dict(unit["registered_members"]),
        "keys": len(letters),
        "key_servers": [
            {
                **{name: server[name] for name in SHOWN},
                "key": letters.get(server["fingerprint"] or ""),
                "acks_missed": _acks_missed(groups.get(server["host"], {}), unit["groups"]),
            }
            for server in unit["key_servers"]
        ],
    }


def _of_primary(unit: Mapping[str, t.Any]) -> str | None:
    """Where the plan knows no key that all shall hold: members know that of the primary, which signs the rekeys."""
    return next((one["fingerprint"] for one in unit["key_servers"] if one["host"] == unit["primary"]), None)


SHOWN = ("host", "address", "role", "priority", "fingerprint", "size", "exportable", "saved", "staged", "problem")


def _letters(servers: Sequence[Mapping[str, t.Any]]) -> dict[str, str]:
    """A short name for each different key: nobody compares twelve digits by eye."""
    different = list(dict.fromkeys(server["fingerprint"] for server in servers if server["fingerprint"]))
    names = [*string.ascii_uppercase, *(str(number) for number in range(len(different)))]
    return dict(zip(different, names, strict=False))


def _acks_missed(answer: Mapping[str, t.Any], names: Sequence[str]) -> int | None:
    """By members, as this key server counts; None where it was not asked."""
    if "groups" not in answer:
        return None
    return sum(int(group["acks_missed"]) for group in answer["groups"] if group["name"] in names)


# ------------------------------------------------------------------ what is wrong


def judge(compared: Mapping[str, t.Any] | None, shown: Sequence[Data]) -> Iterator[Finding]:
    tampered = (compared or {}).get("tampered", ())
    for unit in shown:
        title, servers = unit["title"], unit["key_servers"]
        held = [server for server in servers if server["fingerprint"]]
        if unit["verdict"] == "split":
            yield Finding("split key servers", tuple(one["host"] for one in servers), f"{title}: {unit['says']}.")
        if unit["verdict"] in DRIFTED:
            yield Finding("drifted key servers", tuple(_odd(unit)), f"{title}: {unit['says']}{_who(unit)}.")
        # One that cannot be read, or is left out as tampered with, hides nothing that is known of the others.
        elif unit["verdict"] == "unknown" and len({server["fingerprint"] for server in held}) > 1:
            what = f"{title}: those that could be read have different keys{_who(unit)}."
            yield Finding("drifted key servers", tuple(_odd(unit)), what)
        wanted = [server for server in held if server["fingerprint"] == unit["fingerprint"]] or held
        if wanted and not any(server["exportable"] for server in wanted):
            hosts = tuple(server["host"] for server in wanted)
            what = f"{title}: no copy of the key can be exported, so a dead key server cannot be replaced."
            yield Finding("not exportable", hosts, what)
        for server in servers:
            yield from _of_server(title, server, tampered)
    for claim in (compared or {}).get("claims", ()):
        yield about("unconfirmed claim", claim["host"], claim["why"])
    named = {server["host"] for unit in shown for server in unit["key_servers"]}
    for host, why in (compared or {}).get("problems", {}).items():
        if host not in named:
            yield _problem(host, why, tampered)


def _problem(host: str, why: str, tampered: Sequence[str]) -> Finding:
    return about(FORGED if host in tampered else "unreadable", host, why)


def _of_server(title: str, server: Data, tampered: Sequence[str]) -> Iterator[Finding]:
    host = server["host"]
    if server["problem"]:
        yield _problem(host, server["problem"], tampered)
    if server["fingerprint"] and server["saved"] is False:
        yield about("not saved", host, f"{title}: a reload would lose the key or restore an older one.")
    if server["staged"]:
        yield about("left over", host, f"{title}: a replacement was interrupted; its key is still there.")
    if server["acks_missed"]:
        yield about("missed rekeys", host, f"{title}: members missed {server['acks_missed']} rekeys of it.")


def _odd(unit: Data) -> list[str]:
    """The key servers that do not hold what all shall hold; all, where nobody knows what that is."""
    servers = unit["key_servers"]
    odd = [one["host"] for one in servers if one["fingerprint"] != unit["fingerprint"] and not one["problem"]]
    return odd or [one["host"] for one in servers]


def _who(unit: Data) -> str:
    """Which key is where."""
    places: dict[str, list[str]] = {}
    for server in unit["key_servers"]:
        if not server["problem"]:
            places.setdefault(f"key {server['key']}" if server["key"] else "none", []).append(server["host"])
    return ": " + "; ".join(f"{key} on {', '.join(hosts)}" for key, hosts in places.items()) if places else ""
