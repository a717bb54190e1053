#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_fetch
short_description: Let a VPN gateway fetch the keys of its peers by itself
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Gives a gateway a program and a systemd timer that fetch what M(vpnops.keys.key_directory_publish) has published,
    verify it, and store it as M(vpnops.keys.gateway_peers) would. So a gateway that was offline learns a new key
    without a playbook.
  - >-
    The gateway accepts only what the directory signed, what has not expired, and what is not older than what it
    knows. Otherwise its tunnels stay as they are and it stores nothing new.
  - >-
    Playbooks reach the gateway as before. What they have stored is never undone by an older publication.
  - >-
    The program is one file of Python without any library. The web server receives only requests for files.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.gateway
  - vpnops.keys._gateway
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows which files differ.
  idempotent:
    support: full
  action:
    support: full
    details: The program is built on the control node, and O(ca) is read there.
options:
  state:
    description:
      - V(present) installs the program and the timer, or brings them up to date.
      - V(absent) removes them. What was stored stays.
    type: str
    choices: [present, absent]
    default: present
  url:
    description:
      - >-
        Where the folder of the publication is: C(https://) and the address of a web server, or C(file://) and the path
        of a folder on the gateway, such as a git working tree. No redirect is followed. The address is a host,
        optionally a port, and a path: no user, no password and no query.
      - It must be reachable without the tunnels whose keys the gateway may lack.
      - Required with O(state=present).
    type: str
  verify_key:
    description:
      - RV(vpnops.keys.key_directory_publish#module:verify_key). It says which publication is fetched and who signs it.
      - After a change of the directory's key, run this again.
      - Required with O(state=present).
    type: str
  gateway:
    description:
      - Name of this gateway, by which it finds itself in the publication.
      - Required with O(state=present).
    type: str
  name_salt:
    description: The salt of the publication, if its names are hashed.
    type: str
  number:
    description: >-
      The lowest number that a publication may have, as RV(vpnops.keys.key_directory_publish#module:publication) has it.
      It protects the first fetch; after that the gateway remembers the number.
    type: int
    default: 0
  interval:
    description:
      - Seconds between two fetches, 10 to 604800. A random time of up to a fifth of it is added.
      - It is also how long a gateway whose key is about to change should wait for its peers.
    type: int
    default: 300
  ca:
    description: >-
      File on the control node with the certificate of the authority that signed that of O(url), in PEM. By default,
      the authorities that the gateway's system trusts.
    type: str
  program:
    description: The program, in base64. It is filled in on the control node.
    type: str
requirements:
  - systemd, on the gateway
seealso:
  - module: vpnops.keys.key_directory_publish
  - module: vpnops.keys.gateway_peers
"""

EXAMPLES = r"""
- name: Publish what gateways have to store
  vpnops.keys.key_directory_publish:
    path: /srv/www/vpn-keys
  delegate_to: localhost
  run_once: true
  register: published

- name: Let the gateways fetch it
  vpnops.keys.gateway_fetch:
    url: https://keys.example.com/vpn-keys
    verify_key: "{{ published.verify_key }}"
    gateway: "{{ inventory_hostname }}"
  become: true
"""

RETURN = r"""
diff:
  description: Which files differ, by their SHA-256.
  returned: success
  type: dict
  sample:
    before_header: fetch
    after_header: fetch
    before: |
      /etc/vpnops.keys/fetch.json: absent
    after: |
      /etc/vpnops.keys/fetch.json: mode 0600, not shown
findings:
  description: >-
    What is wrong with the answer itself, in sentences, for example fields that no module of this collection returns.
    Normally empty. If it is not empty, the gateway may have been tampered with.
  returned: always
  type: list
  elements: str
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: bad_input
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._fetch import install
from ..module_utils._gateway import entry, installed
from ..module_utils._gateway.managed import Managed

ARGUMENT_SPEC = dict(
    **entry.GATEWAY_SPEC,
    state=dict(type="str", choices=["present", "absent"], default="present"),
    url=dict(type="str"),
    verify_key=dict(type="str", no_log=False),
    gateway=dict(type="str"),
    name_salt=dict(type="str", no_log=True),
    number=dict(type="int", default=0),
    interval=dict(type="int", default=300),
    ca=dict(type="str"),
    program=dict(type="str"),
)
REQUIRED_IF = [("state", "present", ("url", "verify_key", "gateway"))]


def operate(module: AnsibleModule, gateway: Managed) -> entry.Data:
    write = not module.check_mode
    if module.params["state"] == "absent":
        changes = install.remove(write)
    else:
        changes = install.install(gateway, module.params, write)
    return {"changed": bool(changes), "diff": installed.diff("fetch", changes)}


def main() -> None:
    entry.run(ARGUMENT_SPEC, operate, required_if=REQUIRED_IF)


if __name__ == "__main__":
    main()
