# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules on the honest gateway gw1 answer, and what they were asked."""

from __future__ import annotations

from unit.plugin_utils.test_device_answer import INFO, KEY, PEERS, TO_STORE, Data, key, mark

BRIDGE: Data = {"changed": True, "interface": "wg0b", "carried": ["gw2"], "left": ["gw3"], "diff": {}}
CALL_IN: Data = {"changed": True, "token_sha256": mark("token"), "diff": {}}
HONEST: dict[str, tuple[Data, Data]] = {
    "gateway_info": (INFO, {"check": True}),
    "gateway_key": (KEY, {"public_key": key("own")}),
    "gateway_peers": (PEERS, {**TO_STORE, "revision": 41}),
    "gateway_bridge": (BRIDGE, {"state": "carrying"}),
    "gateway_call_in": (CALL_IN, {"url": "https://192.0.2.1:8443/", "ca": "-", "callers": "-"}),
}
"""By module, the answer and the options."""
