# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole report as data: results of other modules in, JSON out. Pure."""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...module_utils._fleet.model import Directory
from ...module_utils._fleet.observed import Observations, none_observed
from ...module_utils._fleet.periods import Calendar
from ...module_utils._fleet.status import FleetStatus, status
from . import findings, keys, rotations, servers, sheet
from .findings import Finding, about

Data = dict[str, t.Any]
SCHEMA = 3
MOST_CELLS = 10_000
"""Pairs of gateways that are not as they should be, in the JSON. There may be as many as gateways squared."""


@dataclass(frozen=True)
class Inputs:
    """What other modules returned. `None` or empty: that part of the fleet is no part of the report."""

    key_servers: Mapping[str, t.Any] | None
    rsa_keys: Mapping[str, t.Any]
    groups: Mapping[str, t.Any]
    directory: Mapping[str, t.Any] | None
    gateways: Observations
    title: str
    calendar: Calendar
    minimum_size: int


def usable(inputs: Inputs) -> tuple[Inputs, list[Finding]]:
    """The inputs without those that are failures, which become findings. Raises VpnKeysError(bad_input) for what is no
    result of the modules on key servers."""
    found = []
    for part, result in (("key servers", inputs.key_servers), ("directory", inputs.directory)):
        if result and result.get("failed"):
            found.append(about("not read", part, str(result.get("msg"))))
    if none_observed(inputs.gateways):
        # Each has a finding of its own, with the reason.
        found.append(about("not read", "gateways", "No gateway could be observed."))
    left = replace(inputs, key_servers=_read(inputs.key_servers), directory=_read(inputs.directory))
    servers.check(left.key_servers, left.rsa_keys, left.groups)
    return left, found


def _read(result: Mapping[str, t.Any] | None) -> Mapping[str, t.Any] | None:
    return None if result and result.get("failed") else result


def fleet_of(inputs: Inputs) -> FleetStatus | None:
    """Raises VpnKeysError(bad_input) for what is no result of the directory."""
    if not inputs.directory:
        return None
    return status(Directory.from_result(inputs.directory), inputs.gateways, inputs.calendar)


def build(inputs: Inputs, fleet: FleetStatus | None, failures: Sequence[Finding] = ()) -> Data:
    """`inputs` as `usable` returns them, `fleet` as `fleet_of` does."""
    calendar = inputs.calendar
    on_servers = keys.on_key_servers(inputs.key_servers, inputs.rsa_keys)
    of_gateways = keys.of_gateways(fleet) if fleet else []
    units = servers.units(inputs.key_servers, inputs.groups)
    every = [*on_servers, *of_gateways]
    found = findings.to_result([*failures, *_judge(inputs, units, every, fleet)])
    changes = rotations.to_result(inputs.directory)
    report = {
        "schema": SCHEMA,
        "title": inputs.title,
        "at": calendar.at,
        "limits": {"minimum_size": inputs.minimum_size},
        "counts": {
            **findings.counts(found),
            "key_servers": len({one["host"] for unit in units for one in unit["key_servers"]}),
            "gateways": len(fleet.rows) if fleet else 0,
            "keys": sum(key.state in keys.IN_USE for key in every),
            "rotations": len(changes),
            "pending": sum(row.pending for row in fleet.rows) if fleet else 0,
        },
        "findings": found,
        "units": units if inputs.key_servers is not None else None,
        "ungrouped": list((inputs.key_servers or {}).get("ungrouped", ())),
        "keys": [keys.to_result(key, calendar, inputs.minimum_size) for key in every],
        "mesh": _mesh(fleet) if fleet else None,
        "rotations": changes,
        "checkpoint": _checkpoint(inputs.directory),
        "events": [dict(one) for one in (inputs.directory or {}).get("events", ())],
    }
    asked = sheet.build(every, fleet.directory if fleet else None, inputs.directory, calendar)
    report["sheet"] = {**asked, "answers": sheet.answers(asked, report)}
    return {**report, "digest": digest(report)}


def _checkpoint(directory: Mapping[str, t.Any] | None) -> Data | None:
    """What signs the directory as it was read."""
    found = ((directory or {}).get("directory") or {}).get("checkpoint")
    return {name: found[name] for name in ("number", "root", "time", "expires")} if found else None


def _mesh(fleet: FleetStatus) -> Data:
    """The rows of gateway_status, and the pairs that are not simply as they should be."""
    gateways = fleet.directory.gateways
    return {
        "gateways": fleet.to_result()["gateways"],
        "differing": fleet.count_differing(),
        "cells": [
            {
                "holder": one.holder,
                "owner": one.owner,
                "state": one.state,
                "serials": list(one.serials),
                "wanted": gateways[one.owner].serial,
            }
            for one in fleet.differing(MOST_CELLS)
        ],
    }


def _judge(
    inputs: Inputs, units: list[Data], every: list[keys.Key], fleet: FleetStatus | None
) -> Iterator[Finding]:
    yield from servers.judge(inputs.key_servers, units)
    yield from keys.judge(every, inputs.calendar, inputs.minimum_size)
    yield from keys.duplicates(every)
    for host, result in {**inputs.rsa_keys, **inputs.groups}.items():
        if result.get("failed") or result.get("unreachable"):
            yield about("unreadable", host, str(result.get("msg") or "It could not be observed."))
    if fleet:
        yield from (Finding(one.kind, (one.host,), one.what, one.since) for one in fleet.findings)
        yield from keys.borrowed(every, inputs.gateways)


def digest(report: Data) -> str:
    """Equal for reports that say the same, whenever they say it: time passes without anything being changed."""
    lasting = {**report, "at": None, "keys": [{**key, "age_days": None} for key in report["keys"]]}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()
