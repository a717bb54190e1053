#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_getvpn_group_key
short_description: Choose the RSA key that signs the rekeys of a GET VPN group on one key server
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Sets C(rekey authentication mypubkey rsa LABEL) of a group that the device serves as key server. A key must exist
    under the label.
  - >-
    This is one step on one device. To move a live group from one key to another, use
    M(vpnops.keys.ios_getvpn_rotation): it does this step on all key servers in a safe order.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.one_device
  - vpnops.keys._ios.label
  - vpnops.keys._ios.save
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the label before and after.
  idempotent:
    support: full
options:
  group:
    description: Name of the group on this device.
    type: str
    required: true
  label:
    description: Label of the key.
    type: str
    required: true
  save:
    description:
      - Write the configuration.
      - >-
        Without it a reload restores the old label; if the old key was deleted, the group then has no key on this key
        server.
    type: bool
    default: true
seealso:
  - module: vpnops.keys.ios_getvpn_rotation
  - module: vpnops.keys.getvpn_info
"""

EXAMPLES = r"""
- name: Sign the rekeys of a group that has no members yet
  vpnops.keys.ios_getvpn_group_key:
    group: EUROPE
    label: GETVPN-2027
"""

RETURN = r"""
previous_label:
  description: Label that the group used before; null if it used none.
  returned: success
  type: str
  sample: GETVPN-2026
fingerprint:
  description: Fingerprint of the key under the label.
  returned: success
  type: str
  sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure or unreachable, if it was found by this collection
  type: str
  sample: not_found
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC: dict[str, object] = dict(
    group=dict(type="str", required=True),
    label=dict(type="str", required=True, no_log=False),
    save=dict(type="bool", default=True),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
