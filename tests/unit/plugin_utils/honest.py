# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules on an honest gateway answer, and what any answer whatever may come to."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

from unit.plugin_utils.test_device_answer import INFO, KEY, PEERS, TO_STORE, Data, key, mark

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import observed
from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.device_answer import Asked

BRIDGE: Data = {"changed": True, "interface": "wg0b", "carried": ["gw2"], "left": ["gw3"], "diff": {}}
CALL_IN: Data = {"changed": True, "token_sha256": mark("token"), "diff": {}}
FETCH: Data = {"changed": True, "diff": {}}
HONEST: dict[str, tuple[Data, Data]] = {
    "gateway_info": (INFO, {"preflight": True}),
    "gateway_key": (KEY, {"public_key": key("own")}),
    "gateway_peers": (PEERS, {**TO_STORE, "revision": 41}),
    "gateway_bridge": (BRIDGE, {"state": "carrying"}),
    "gateway_call_in": (CALL_IN, {"url": "https://192.0.2.1:8443/", "ca": "-", "callers": "-"}),
    "gateway_fetch": (FETCH, {"url": "https://192.0.2.1:8443/", "ca": "-"}),
}
"""By module, the answer of gw1 and the options."""
FIELDS = {
    "gateway_info": {"gateway", "obstacles", "checkpoint"},
    "gateway_key": {"public_key", "fingerprint", "algorithm", "diff", "checkpoint"},
    "gateway_peers": {"stored", "learned", "neighbors", "refused", "diff", "checkpoint"},
    "gateway_bridge": {"interface", "carried", "left", "diff"},
    "gateway_call_in": {"token_sha256", "diff"},
    "gateway_fetch": {"diff"},
}
COMMON = {"changed", "failed", "msg", "code", "findings"}
MOST = 200_000
"""Characters of a result that comes from little more than an honest one."""


def acknowledgeable(host: str, options: Data) -> Iterator[Data]:
    """What an honest gateway stores of what it was told, as gateway_peers says it."""
    for entry in options.get("peers", ()):
        if entry["name"] == host:
            continue
        if entry.get("withdrawn"):
            yield {"gateway": entry["name"], "public_key": None, "role": "withdrawn"}
            continue
        for role in ("current", "staged"):
            if entry.get(role):
                yield {"gateway": entry["name"], "public_key": entry[role], "role": role}


def strings(value: t.Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from (name, *strings(one))
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def assert_harmless(host: str, asked: Asked, result: Data) -> None:
    """It is small, typed, printable, about who answered, and to what was asked."""
    assert set(result) <= FIELDS[asked.module] | COMMON
    lines = [line for text in strings(result) for line in text.split("\n")]
    assert all(line.isprintable() and len(line) < 5000 for line in lines)
    assert len(json.dumps(result, allow_nan=False)) < MOST
    assert len(result["findings"]) <= 1
    _assert_about_itself(host, asked, result)
    # Read again, as a variable, it is the same.
    again = device_answer.answer(host, asked.module, json.loads(json.dumps(result)))
    assert again.state == (observed.REFUSED if result.get("failed") else observed.READY)


def _assert_about_itself(host: str, asked: Asked, result: Data) -> None:
    claims = [(one["gateway"], one["role"], one["public_key"]) for one in acknowledgeable(host, dict(asked.options))]
    held, learned = device_answer.acknowledgements({host: result} if asked.module == "gateway_peers" else {})
    assert {one["peer"] for one in [*held, *learned]} <= {host}
    assert {(one["gateway"], one["role"], one["public_key"]) for one in held} <= set(claims)
    assert {one["revision"] for one in learned} <= {asked.options.get("revision")}
    if asked.module == "gateway_key" and (wanted := asked.options.get("public_key")):
        assert set(device_answer.own_keys({host: result}).items()) <= {(host, wanted)}
    seen = device_answer.observations({host: result})[host]
    assert (seen.host, seen.seen and asked.module != "gateway_info") == (host, False)
