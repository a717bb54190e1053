# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gateways claim, as options of key_directory: read strictly here, where nothing else is known of it. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ..module_utils._errors import NOTHING_CHANGED, VpnKeysError
from . import device_answer

Data = dict[str, t.Any]
RESULTS = ("answers", "enrolled", "inventory", "observations", "staged")
"""Options that are results by host; the module itself never sees them."""


def read(options: Data) -> Data:
    """The options for the module. What a gateway claims is about that gateway, whatever its result says; and one that
    the directory refuses is left out there, so that it does not stop the others (`skip_refused`)."""
    given = {name: _by_host(name, options[name]) for name in RESULTS if options.get(name) is not None}
    rest = {name: value for name, value in options.items() if name not in RESULTS}
    witnesses = _witnesses(given)
    if witnesses:
        rest["witnesses"] = [*(rest.get("witnesses") or ()), *witnesses]
    if "answers" in given:
        held, learned = device_answer.acknowledgements(given["answers"])
        rest["acknowledgements"] = [*(rest.get("acknowledgements") or ()), *held]
        rest["learned"] = [*(rest.get("learned") or ()), *learned]
    if "enrolled" in given:
        rest["gateways"] = [*(rest.get("gateways") or ()), *_enrolled(given)]
        rest["skip_refused"] = True
    if "staged" in given:
        keys = device_answer.own_keys(given["staged"])
        staged = [{"gateway": host, "public_key": key} for host, key in keys.items()]
        rest["keys"] = [*(rest.get("keys") or ()), *staged]
        rest["skip_refused"] = True
    return rest


MODULES = {"observations": "gateway_info", "enrolled": "gateway_key", "answers": "gateway_peers"}


def _witnesses(given: Mapping[str, Mapping[str, t.Any]]) -> list[Data]:
    """What gateways have seen of the directory. Who answered that it stored something has done that already: it comes
    too late to stop anything, in an emergency most of all."""
    return [
        {**one, "late": name == "answers"}
        for name, module in MODULES.items()
        if name in given
        for one in device_answer.checkpoints(module, given[name])
    ]


def _enrolled(given: Mapping[str, Mapping[str, t.Any]]) -> list[Data]:
    """All but the key is what the inventory says. A key that is still to be made (check mode) cannot be recorded."""
    inventory = given.get("inventory", {})
    keys = device_answer.own_keys(given["enrolled"])
    return [{**inventory.get(host, {}), "name": host, "public_key": key} for host, key in keys.items() if key]


def _by_host(name: str, value: t.Any) -> Mapping[str, t.Any]:
    if not isinstance(value, Mapping):
        raise VpnKeysError(
            "bad_input",
            f"O({name}) must be results by the name of their host",
            state=NOTHING_CHANGED,
            advice="use the filter vpnops.keys.by_host",
        )
    return value
