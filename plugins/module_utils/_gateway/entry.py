# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entry point of the gateway modules: options in, result out. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._backends import BACKENDS
from .._errors import VpnKeysError
from .._public_key import PublicKey, parse
from .managed import Managed, open_platform
from .wireguard.backends import CHOICES, DETECT

if t.TYPE_CHECKING:
    Data = dict[str, t.Any]

GATEWAY_SPEC: Data = dict(
    platform=dict(type="str", choices=list(BACKENDS), default="wireguard"),
    interface=dict(type="str", default="wg0"),
    backend=dict(type="str", choices=list(CHOICES), default=DETECT),
    identity=dict(type="str", default=""),
    timeout=dict(type="float", default=120),
    earlier=dict(type="list", elements="str", default=[]),
    fleet_size=dict(type="int"),
)


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
