# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task that works for many found on each of them: by key server and group, and by gateway. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...module_utils._errors import sentence
from ...module_utils._fingerprint import short

Data = Mapping[str, t.Any]
State = t.Literal["failed", "differs", "not finished", "unknown", "changed", "ok"]
STATES: tuple[State, ...] = t.get_args(State)
"""The worst first. `differs` is a failure where the task, or the report on it, fails."""


@dataclass(frozen=True)
class Found:
    """`unit`: the label and the groups of a key server; empty for a gateway, and for a key server of no group."""

    host: str
    unit: str
    state: State
    message: str = ""

    @classmethod
    def from_message(cls, message: Data) -> Found:
        """As a task tells it while it runs."""
        return cls(str(message["host"]), str(message["unit"]), message["result"], str(message["message"]))


KEPT = {("changed", "ok"), *((was, now) for was in ("failed", "not finished") for now in ("differs", "unknown"))}


def merged(before: Found | None, now: Found) -> Found:
    """What counts. That a host is right after it was changed does not undo the change, nor does the look after a
    failure or an interrupt undo that."""
    keeps = before and (before.state, now.state) in KEPT
    return before if before and keeps else now


# ------------------------------------------------------------------ key servers


def on_key_servers(result: Data) -> list[Found]:
    """A result of ios_rsa_key_compare or ios_rsa_key_sync, which may hold what was found before and after it."""
    parts = (result.get("found"), result, result.get("proof"))
    return [one for part in parts if isinstance(part, Mapping) for one in _on_key_servers(part)]


def _on_key_servers(result: Data) -> list[Found]:
    found = [one for unit in result.get("units") or () if isinstance(unit, Mapping) for one in _in_unit(unit)]
    named = {one.host for one in found if one.state == "failed"}
    problems = dict(result.get("problems") or {})
    found += [Found(str(host), "", "failed", str(why)) for host, why in problems.items() if host not in named]
    return found + [
        Found(str(claim["host"]), f"group {claim['group']}", "differs", str(claim["why"]))
        for claim in result.get("claims") or ()
    ]


def title(unit: Data) -> str:
    groups = ", ".join(unit.get("groups") or ())
    return f"{unit.get('label') or 'no label'} ({groups})" if groups else str(unit.get("label"))


def _in_unit(unit: Data) -> Iterator[Found]:
    for server in unit.get("key_servers") or ():
        if from_message := _of_unit(unit, server):
            yield Found(str(server["host"]), title(unit), *from_message)


def _of_unit(unit: Data, server: Data) -> tuple[State, str] | None:
    """A result that failed tells only what was done and what is left."""
    words = (unit.get("done") or {}).get(server["host"], ())
    if server.get("problem"):
        return "failed", str(server["problem"])
    if server["host"] in unit.get("left", ()):
        return "not finished" if unit.get("interrupted") else "failed", str(unit["error"])
    if words:
        return "changed", f"{', '.join(dict.fromkeys(words))}."
    if "fingerprint" not in server:
        return None
    if unit.get("in_sync") or (server["fingerprint"] and server["fingerprint"] == unit.get("fingerprint")):
        return "ok", ""
    return _unlike(unit, server)


def _unlike(unit: Data, server: Data) -> tuple[State, str]:
    """A key server that does not hold the key that all shall hold, or of which nobody can tell."""
    held, wanted, label = server.get("fingerprint"), unit.get("fingerprint"), unit.get("label")
    if wanted is None:
        from_message = sentence(str(unit.get("blocked") or "No key is chosen"))
        return ("unknown" if unit.get("verdict") == "unknown" else "differs"), from_message
    holds = f"the key {short(held)}" if held else "no key"
    of = f" of {unit['source']}" if unit.get("source") else ""
    return "differs", f"It has {holds} under {label}, not the key {short(wanted)}{of}."


# ------------------------------------------------------------------ rotations of key servers


def of_rotations(result: Data) -> list[Found]:
    """A result of ios_getvpn_rotation. A group goes its way as one, so its key servers share what became of it."""
    groups = [group for group in result.get("groups") or () if isinstance(group, Mapping)]
    return [one for group in groups for one in _in_rotation(group)]


def is_interrupted(result: Data) -> bool:
    """Of a task that works for many: whether the user has ended it before its end."""
    groups = [group for group in result.get("groups") or () if isinstance(group, Mapping)]
    return result.get("interrupted") is True or any(group.get("outcome") == "interrupted" for group in groups)


def _in_rotation(group: Data) -> Iterator[Found]:
    problems = {str(one["host"]): one.get("problem") for one in group.get("key_servers") or ()}
    for host in dict.fromkeys([*map(str, group.get("hosts") or ()), *problems]):
        state, why = _of_rotation(group)
        if problems.get(host):
            state, why = "failed", str(problems[host])
        yield Found(host, str(group["name"]), state, why)


def _of_rotation(group: Data) -> tuple[State, str]:
    outcome, why = group.get("outcome"), sentence(str(group.get("why") or "The rotation did not get further."))
    if outcome in ("done", "reached", "planned"):
        return ("changed" if group.get("done") else "ok"), ""
    return ("not finished" if outcome in ("waiting", "interrupted") else "failed"), why


# ------------------------------------------------------------------ gateways


def on_gateways(result: Data) -> list[Found]:
    """A result of gateway_report; one that failed has it in brief."""
    if isinstance(result.get("by_gateway"), Sequence):
        return [one for part in result["by_gateway"] for one in _in_full(part, str(result.get("msg")))]
    for key in ("outcome", "converged", "status"):
        if isinstance(result.get(key), Mapping):
            return [*_rows(result[key].get("gateways") or ()), *_findings(result[key].get("findings") or ())]
    return []


def in_brief(found: Iterable[Found], msg: str) -> list[dict[str, t.Any]]:
    """What counts of each gateway, without repeating anything: who has the same together, and of a message that is a
    part of `msg` only where it stands there."""
    last: dict[str, Found] = {}
    for one in found:
        last[one.host] = merged(last.get(one.host), one)
    groups: dict[tuple[State, str], list[str]] = {}
    for one in last.values():
        groups.setdefault((one.state, one.message), []).append(one.host)
    return [
        {"gateways": hosts, "result": state, **_message(message, msg)} for (state, message), hosts in groups.items()
    ]


def _message(message: str, msg: str) -> dict[str, t.Any]:
    if not message:
        return {}
    start = msg.find(message)
    return {"message": message} if start < 0 else {"in_msg": [start, start + len(message)]}


def _in_full(part: Data, msg: str) -> Iterator[Found]:
    message = str(part.get("message") or "") or msg[slice(*part.get("in_msg") or (0, 0))]
    for host in part["gateways"]:
        yield Found(str(host), "", part["result"], message)


def _rows(rows: Iterable[Data]) -> Iterator[Found]:
    for row in rows:
        name = str(row["gateway"])
        if row.get("problem"):
            yield Found(name, "", "failed", str(row["problem"]))
        elif row.get("no_tunnel"):
            yield Found(name, "", "differs", f"No tunnel with its new key to {', '.join(row['no_tunnel'])}.")
        else:
            yield Found(name, "", "ok")


def _findings(found: Iterable[Data]) -> Iterator[Found]:
    worst: dict[str, Data] = {}
    for one in found:
        worst.setdefault(str(one["host"]), one)
    for host, one in worst.items():
        yield Found(host, "", "differs", sentence(str(one["what"])))
