#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_call_in
short_description: Make a VPN gateway call in when it boots
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Gives a gateway its own token and a systemd unit that calls O(url) with it at every boot, with curl. The receiver
    can then update the gateway; see the guide about gateways that call in.
  - >-
    The token stays on the gateway, in a file that only root can read. Its SHA-256 is written to O(callers) on the
    control node, with the name of the gateway.
  - >-
    A gateway whose answer cannot be read, or that reports the SHA-256 of another gateway's token, is refused. The
    other gateways are not affected.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.gateway
  - vpnops.keys._gateway
attributes:
  check_mode:
    support: full
    details: The SHA-256 of a token that does not exist yet is not known.
  diff_mode:
    support: full
    details: Shows which files differ. The token is not shown.
  idempotent:
    support: full
  action:
    support: full
    details: The files are written on the gateway, and O(callers) on the control node.
options:
  url:
    description: The URL to call. It must begin with C(https://).
    type: str
    required: true
  ca:
    description: File on the control node with the certificate of the authority that signed that of O(url), in PEM.
    type: str
    required: true
  callers:
    description:
      - >-
        File on the control node with a line for every gateway, the SHA-256 of its token and its name. Only its owner
        may read it (C(0600)). It is created if it is missing; its directory must exist.
    type: path
    required: true
requirements:
  - curl and systemd, on the gateway
notes:
  - >-
    O(platform), O(interface), O(backend) and O(identity) exist only for defaults of the action group. They have no
    effect here.
  - "A new token: remove C(/etc/vpnops.keys/call-in.header) on the gateway, and run this again."
"""

EXAMPLES = r"""
- name: Let the gateway call in
  vpnops.keys.gateway_call_in:
    url: https://eda.example.com:8443/
    ca: "{{ playbook_dir }}/ca.pem"
    callers: /etc/vpnops.keys/callers
  become: true
"""

RETURN = r"""
token_sha256:
  description: SHA-256 of the gateway's token, null in check mode where there is no token yet.
  returned: success
  type: str
  sample: 5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: refused
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import VpnKeysError
from ..module_utils._gateway import call_in, entry, installed

ARGUMENT_SPEC = dict(
    **entry.GATEWAY_SPEC,
    url=dict(type="str", required=True),
    ca=dict(type="str", required=True),
    callers=dict(type="path", required=True),
)


def operate(module: AnsibleModule) -> entry.Data:
    changes, token_sha256 = call_in.install(module.params["url"], module.params["ca"], not module.check_mode)
    return {
        "changed": bool(changes),
        "token_sha256": token_sha256,
        "diff": installed.diff("call-in", changes),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = operate(module)
    except VpnKeysError as error:
        module.fail_json(msg=str(error), code=error.code, changed=error.changed)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
