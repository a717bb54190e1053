# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""10 MB of an answer cost about ten times as much as 1 MB, whatever the gateway makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from unit.ios.test_hostile import MORE_TIME, seconds
from unit.plugin_utils.test_device_answer import INFO, KEY, PEERS, TO_STORE, Data, key

from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.device_answer import Asked

MEGABYTE = 1_000_000
NOISE = 0.02
"""Seconds of which nothing can be told."""
QUESTIONS = {
    "gateway_info": Asked("gateway_info"),
    "gateway_key": Asked("gateway_key", {"public_key": key("own")}),
    "gateway_peers": Asked("gateway_peers", {**TO_STORE, "revision": 41}),
}


def info(**more: object) -> Data:
    return {**INFO, "gateway": {**INFO["gateway"], **more}}


def repeated(one: object, answer: Callable[[list[object]], Data]) -> Callable[[int], str]:
    """An answer with so many entries that it is of that size."""
    return lambda size: json.dumps(answer([one] * (size // len(json.dumps(one)))))


STORED = INFO["gateway"]["stored"][0]
REFUSED = {"gateway": "gw2", "why": "x" * 250}
TUNNEL = {"peer": "gw2", "with_own": None, "with_peer": None, "age": 1, "proof": "p" * 180, "by": 1}
ANSWERS: dict[str, tuple[str, Callable[[int], str]]] = {
    "one text": ("gateway_key", lambda size: json.dumps({**KEY, "x": "x" * size})),
    "text that is shown": ("gateway_key", lambda size: json.dumps({"failed": True, "msg": "\x1b[31m" * (size // 10)})),
    "escapes": ("gateway_key", lambda size: '{"failed": true, "msg": "' + "\\ud800" * (size // 6) + '"}'),
    "lines of braces": ("gateway_key", lambda size: "{\n" * (size // 2)),
    "empty lines": ("gateway_key", lambda size: "\r\n\x0b\x0c\x85\u2028" * (size // 6) + json.dumps(KEY)),
    "blanks": ("gateway_key", lambda size: " " * size + json.dumps(KEY)),
    "digits": ("gateway_key", lambda size: f'{{"a": {"9" * size}}}'),
    "digits of a fraction": ("gateway_key", lambda size: f'{{"a": 0.{"9" * size}e{"9" * 100}}}'),
    "numbers": ("gateway_key", lambda size: f'{{"a": [{"1," * (size // 2)}1]}}'),
    "open brackets": ("gateway_key", lambda size: '{"a": ' + "[" * size),
    "open braces": ("gateway_key", lambda size: '{"a":' * (size // 5)),
    "unknown fields": ("gateway_key", lambda size: json.dumps({**KEY, **{f"{n:030}": n for n in range(size // 40)}})),
    "one field again and again": ("gateway_key", lambda size: "{" + '"a": 1, ' * (size // 8) + '"a": 1}'),
    "a diff": ("gateway_key", lambda size: json.dumps({**KEY, "diff": {"before": "a\n" * (size // 3)}})),
    "stored keys": ("gateway_info", repeated(STORED, lambda many: info(stored=many))),
    "tunnels": ("gateway_info", repeated(TUNNEL, lambda many: info(tunnels=many))),
    "obstacles": ("gateway_info", repeated("x" * 50, lambda many: {**INFO, "obstacles": many})),
    "acknowledgements": ("gateway_peers", repeated(PEERS["stored"][0], lambda many: {**PEERS, "stored": many})),
    "neighbors": ("gateway_peers", repeated("x" * 250, lambda many: {**PEERS, "neighbors": many})),
    "refusals": ("gateway_peers", repeated(REFUSED, lambda many: {**PEERS, "refused": many})),
}


def is_linear(module: str, make: Callable[[int], str]) -> bool:
    def read(text: str) -> Data:
        return device_answer.arrived("gw1", QUESTIONS[module], text)

    short, long = make(MEGABYTE), make(10 * MEGABYTE)
    assert 9 * MEGABYTE < len(long) < 12 * MEGABYTE
    # A busy machine makes a measurement longer, never shorter.
    return any(seconds(read, long) <= MORE_TIME * max(seconds(read, short), NOISE / 10) for dummy in range(5))


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_read_in_linear_time(name: str) -> None:
    assert is_linear(*ANSWERS[name])
