# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of the other modules, as a report gets them, for fleets of any size."""

from __future__ import annotations

import typing as t

from unit.fleet.samples import entry, mesh, refused, result, revoked, rotating, seen, unreachable

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.periods import DEFAULTS, Calendar
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report.build import Inputs

Data = dict[str, t.Any]
AT = "2026-11-22T12:00:00Z"
A, B = "aa" * 32, "bb" * 32


# -- key servers


def server(host: str, fingerprint: str | None = A, **more: t.Any) -> Data:
    facts = {"address": None, "role": "Secondary", "priority": 1, "problem": None, "size": 2048, "usage": "general"}
    return facts | {"host": host, "fingerprint": fingerprint, "exportable": True, "saved": True, "staged": None} | more


def unit(verdict: str, *servers: Data, **more: t.Any) -> Data:
    return {
        "label": "REKEY", "groups": ["EUROPE"], "verdict": verdict, "primary": "ks1", "fingerprint": A,
        "registered_members": {"EUROPE": 7}, "key_servers": list(servers),
    } | more  # fmt: skip


def compared(*units: Data) -> Data:
    problems = {one["host"]: one["problem"] for each in units for one in each["key_servers"] if one["problem"]}
    return {"units": list(units), "problems": problems, "ungrouped": [], "claims": [], "findings": []}


def listed(fingerprint: str = A, label: str = "REKEY", generated: str = "06:51:40 UTC Aug 30 2026") -> Data:
    return {"rsa_keys": [{"label": label, "size": 2048, "fingerprint": fingerprint, "generated": generated}]}


# -- gateways


def rotation(number: int, gateway: str, **more: t.Any) -> Data:
    return {
        "id": number, "gateway": gateway, "mode": "planned", "strategy": "in_place", "state": "retired",
        "old_serial": 1, "new_serial": 2, "why": None, "begun_by": "alice", "begun_at": "2026-06-01T00:00:00Z",
        "ended_at": "2026-06-01T00:01:17Z", **more,
    }  # fmt: skip


def event(number: int, what: str, gateway: str | None = "gw1", **more: t.Any) -> Data:
    return {
        "id": number, "at": "2026-06-01T00:00:00Z", "by": "alice", "what": what, "gateway": gateway, "peer": None,
        "outcome": "done", "why": None, "details": None, **more,
    }  # fmt: skip


def inputs(**more: t.Any) -> Inputs:
    given: Data = {
        "key_servers": None, "rsa_keys": {}, "groups": {}, "directory": None, "gateways": {}, "title": "Keys",
        "calendar": calendar(more.pop("at", AT)), "minimum_size": 2048,
    }  # fmt: skip
    return Inputs(**given | more)


def calendar(at: str = AT) -> Calendar:
    return Calendar(DEFAULTS, at)


# -- fleets with trouble


def troubled(number: int) -> Inputs:
    """Every kind of trouble that there is, among so many gateways and six key servers."""
    servers = compared(
        unit(
            "conflict",
            server("ks1", role="Primary", priority=100, address="192.0.2.11", exportable=False),
            server("ks2", B, saved=False, staged=A),
            server("ks3", exportable=False),
            server("ks4", None, size=None, exportable=None, saved=None, problem="ks4: no answer within 30 s."),
        ),
        unit(
            "in_sync", server("ks5", "cc" * 32, size=1024), server("ks6", "cc" * 32, size=1024),
            label="ASIA-REKEY", groups=["ASIA"], fingerprint="cc" * 32,
        ),
    )  # fmt: skip
    rsa_keys = {"ks1": listed(generated="06:51:40 UTC Aug 30 2024"), "ks2": listed(B)}
    if not number:
        return inputs(key_servers=servers, rsa_keys=rsa_keys)
    every, observations = mesh(number)
    entries = every["directory"]["gateways"] | {"gw1": rotating("gw1")}
    observations[f"gw{number}"] = unreachable(f"gw{number}")
    if number > 4:
        entries["gw3"] = revoked("gw3")
        observations["gw4"] = seen("gw4", {"gw1": 1, "gw9999": 1})
    directory = result(
        *entries.values(),
        pending={"gw2": ["gw1"]},
        rotations=[
            rotation(3, "gw1", state="staged", new_serial=None, begun_at="2026-11-22T11:00:00Z", ended_at=None),
            rotation(2, "gw2", state="rolled_back", begun_at="2026-09-01T00:00:00Z", ended_at="2026-09-01T00:02:00Z"),
            rotation(1, "gw1", why="yearly rotation"),
        ],
        events=[event(2, "acknowledged", details={"serial": 1, "peers": ["gw2"]}), event(1, "enrolled")],
    )
    return inputs(key_servers=servers, rsa_keys=rsa_keys, directory=directory, gateways=observations)


def many_servers(groups: int = 6, size: int = 10) -> Data:
    """Groups of key servers in which all is as it should be."""
    return compared(
        *(
            unit(
                "in_sync",
                *(
                    server(f"ks-frankfurt-{group}-{number}.example.net", f"{group + 1:02x}" * 32)
                    for number in range(size)
                ),
                label=f"REKEY-{group}", groups=[f"GROUP-{group}"], fingerprint=f"{group + 1:02x}" * 32,
            )
            for group in range(groups)
        )
    )  # fmt: skip


def large() -> Inputs:
    """60 key servers that are as they should be, and 400 gateways with trouble."""
    servers, gateways = many_servers(), troubled(400)
    return inputs(key_servers=servers, directory=gateways.directory, gateways=gateways.gateways)


def hostile(text: str) -> Inputs:
    """Whatever anybody can choose is this text."""
    names_ = [f"{text} {number}" for number in range(3)]
    servers = compared(
        unit(
            "conflict", server(names_[0], A, address=text, role=text), server(names_[1], B, problem=text),
            label=text, groups=[text], registered_members={text: 1},
        )
    )  # fmt: skip
    gateways = [entry(name, platform=text, algorithm=text, identity=name) for name in names_]
    return inputs(
        key_servers=servers,
        rsa_keys={names_[0]: listed(label=text), names_[2]: {"failed": True, "msg": text}},
        directory=result(
            *gateways,
            pending={names_[0]: names_[1:]},
            tampered=[{"gateway": text, "serial": 1, "what": text}],
            rotations=[rotation(1, names_[0], why=text, begun_by=text, mode=text, state=text)],
            events=[event(1, text, names_[0], by=text, peer=text, outcome=text, why=text, details={text: [text]})],
        ),
        gateways={names_[0]: seen(names_[0], {names_[1]: 1}), names_[1]: refused(names_[1], text)},
        title=text,
    )
