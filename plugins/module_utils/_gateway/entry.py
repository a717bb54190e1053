# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entry point of the gateway modules: options in, result out. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._printable import printable
from .._public_key import PublicKey, parse
from .platform import Platform
from .state import State
from .strongswan.platform import StrongSwan
from .wireguard.platform import WireGuard

if t.TYPE_CHECKING:
    Data = dict[str, t.Any]

GATEWAY_SPEC: Data = dict(
    platform=dict(type="str", choices=["wireguard", "strongswan"], default="wireguard"),
    interface=dict(type="str", default="wg0"),
    identity=dict(type="str", default=""),
    timeout=dict(type="float", default=120),
    earlier=dict(type="list", elements="str", default=[]),
)


_INTERFACE = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_=+.][A-Za-z0-9_=+.-]{0,14}")
"""As wg-quick has it: it becomes part of paths and of command lines."""


class Managed(Platform, t.Protocol):
    """A platform with the place where its state is kept."""

    name: str

    @property
    def state(self) -> State: ...


def open_platform(options: Data) -> Managed:
    """The daemon that the options of GATEWAY_SPEC mean."""
    if options["platform"] == "strongswan":
        return StrongSwan(identity=options["identity"])
    interface = options["interface"]
    if not _INTERFACE.fullmatch(interface):
        what = f'"{printable(interface, 80)}", O(interface), is not the name of an interface'
        raise VpnKeysError("bad_input", what, state=NOTHING_CHANGED)
    return WireGuard(interface=interface)


def run(spec: Data, operate: t.Callable[[AnsibleModule, Managed], Data], **more: t.Any) -> None:
    """A whole module run. Errors become `code` and one sentence."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, **more)
    try:
        result = operate(module, open_platform(module.params))
    except VpnKeysError as error:
        module.fail_json(msg=str(error), code=error.code, changed=error.changed)
    module.exit_json(**result)


def key_option(text: str | None) -> PublicKey | None:
    """A public key that an option gives, None where it gives none."""
    return parse(text) if text else None


def to_result(key: PublicKey | None) -> Data | None:
    """How a result shows a key."""
    if key is None:
        return None
    return {"public_key": key.text, "fingerprint": key.fingerprint, "algorithm": key.algorithm, "bits": key.bits}
