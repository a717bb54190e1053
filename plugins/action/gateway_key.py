# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

from ..module_utils._errors import LEFT_OUT, NOTHING_CHANGED, VpnKeysError
from ..module_utils._fingerprint import short
from ..module_utils._public_key import PublicKey, parse
from ..plugin_utils.device_answer import Data
from ..plugin_utils.gateways import possession
from ..plugin_utils.gateways.action import GatewayAction

CLAIMS = ("present", "staged")
"""The states whose answer is the gateway's own word about which key it has."""
KEPT = ("ansible_facts", "spent", "warnings")


class ActionModule(GatewayAction):
    """A key that a gateway shows as its own counts only if it has the private half."""

    MODULE = "gateway_key"
    challenge: possession.Challenge | None = None

    def sent(self, options: Data) -> Data:
        if time.time() > float(options.pop("begin_before", None) or "inf"):
            raise VpnKeysError(
                "timeout",
                "its change was not started, because the total time of this run was used up by other gateways",
                host=self.host,
                state=NOTHING_CHANGED,
                advice="run it again",
            )
        if options.get("state", "present") not in CLAIMS:
            return options
        self.challenge = possession.new()
        return {**options, "challenge": self.challenge.text}

    def run(self, tmp: str | None = None, task_vars: Data | None = None) -> Data:
        result = super().run(tmp, task_vars) | {"spent": self.spent}
        shown, proof = result.get("public_key"), str(result.pop("proof", ""))
        if not shown or self.challenge is None or self.challenge.is_met(parse(shown), proof):
            return result
        kept = {name: result[name] for name in KEPT if name in result}
        return kept | self.failure(_not_proved(self.host, parse(shown)))


def _not_proved(host: str, key: PublicKey) -> VpnKeysError:
    return VpnKeysError(
        "not_proved",
        f"it reports the key {short(key.fingerprint)} as its own and does not prove that it has the private key",
        host=host,
        state=LEFT_OUT,
        advice="find out what runs there before it is used again",
    )
