#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: key_directory_publish
short_description: Publish the directory for gateways that fetch it
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Writes what peers must store of each gateway into a folder, as plain files that any web server, object store or git
    repository can hand out. Gateways with M(vpnops.keys.gateway_fetch) fetch them by themselves.
  - >-
    A file C(checkpoint) with number, root and expiry is signed with the key of the directory, and proves all other
    files. The name of each of these is the hash of its content, so it never changes.
  - >-
    A change of one key writes one file of up to 16 entries, the files of hashes above it, and the checkpoint. At any
    time a reader finds a complete publication, the old or the new, even if the run is killed.
  - >-
    It refuses to replace a newer directory with an older one.
  - >-
    No secret is in it. Names, platforms, public keys, endpoints, networks and IKE identities are; see O(name_salt) and
    the guide about gateways that fetch.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.directory
  - vpnops.keys._directory
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows number, root and size of the publication.
  idempotent:
    support: full
    details: Once half of O(valid_days) is over, the checkpoint is signed again.
  action:
    support: partial
    details: The action plugin only makes sure that no option is written to a file.
options:
  path:
    description: Folder of the publication. It is created if it is missing.
    type: path
    required: true
  valid_days:
    description:
      - >-
        Days for which the checkpoint is valid. Gateways that get no newer one until then store nothing new and report
        that; their tunnels stay up.
      - Publish at least twice in this time.
    type: int
    default: 7
  name_salt:
    description:
      - >-
        With it, names of gateways are published as hashes that can be computed only with the salt. Gateways need the
        same salt (O(vpnops.keys.gateway_fetch#module:name_salt)).
      - IKE identities of strongSwan gateways, endpoints, networks and public keys stay readable.
    type: str
seealso:
  - module: vpnops.keys.key_directory
  - module: vpnops.keys.gateway_fetch
"""

EXAMPLES = r"""
- name: Publish what gateways have to store
  vpnops.keys.key_directory_publish:
    path: /srv/www/vpn-keys
  delegate_to: localhost
  run_once: true
  register: published
"""

RETURN = r"""
path:
  description: The folder.
  returned: success
  type: str
  sample: /srv/www/vpn-keys
publication:
  description: What is published now.
  returned: success
  type: dict
  contains:
    origin:
      description: Which publication it is.
      type: str
      sample: vpnops.keys/8c0f6f8e-2c5b-4b5e-9f0e-0b1d6f0f4b1c/gateways
    size:
      description: Number of entries.
      type: int
      sample: 32
    root:
      description: Root (hex) of the Merkle tree over them.
      type: str
      sample: 2f8c2a5b4cf59a5c0c1e7b5d3c1f9be0a34d7c3a6a37f6d1d8c0f0d9b8a7c6e5
    number:
      description: Number of the directory's checkpoint.
      type: int
      sample: 41
    directory:
      description: Root (hex) of that checkpoint.
      type: str
      sample: 90ce41c5b3a1f7d0c2fb5b6bd0f36e17c8f2dd0a5b8cf0a15f0c3c0a4d3a4d6e
    revision:
      description: Revision of the directory.
      type: int
      sample: 17
    time:
      description: When it was signed, in Unix seconds.
      type: int
      sample: 1795000000
    expires:
      description: Until when it is valid, in Unix seconds.
      type: int
      sample: 1795604800
verify_key:
  description: >-
    The public key that signs it, with the name of the publication, as M(vpnops.keys.gateway_fetch) and other programs
    take it.
  returned: success
  type: str
  sample: vpnops.keys/8c0f6f8e-2c5b-4b5e-9f0e-0b1d6f0f4b1c/gateways+1b2c3d4e+AQ...
files_written:
  description: How many files are new, without the checkpoint.
  returned: success
  type: int
  sample: 1
bytes_written:
  description: Their bytes.
  returned: success
  type: int
  sample: 6144
files_removed:
  description: How many were removed that had not been part of a publication for a day.
  returned: success
  type: int
  sample: 0
excluded:
  description: Gateways whose records are not as the directory signed them. Nothing is published of them.
  returned: success
  type: list
  elements: str
  sample: []
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure, if it was found by this collection
  type: str
  sample: conflict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vpnops.keys.plugins.module_utils._directory.options import (
    ABOUT_GATEWAYS,
    DIRECTORY_LIBRARIES,
    DIRECTORY_MUTUALLY_EXCLUSIVE,
    DIRECTORY_SPEC,
    finish,
)

from ..module_utils._publishing import publish

ARGUMENT_SPEC = dict(
    path=dict(type="path", required=True),
    valid_days=dict(type="int", default=7),
    name_salt=dict(type="str", no_log=True),
    **{name: option for name, option in DIRECTORY_SPEC.items() if name not in ABOUT_GATEWAYS},
)
LIBRARIES = DIRECTORY_LIBRARIES
MUTUALLY_EXCLUSIVE = DIRECTORY_MUTUALLY_EXCLUSIVE


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, mutually_exclusive=MUTUALLY_EXCLUSIVE, supports_check_mode=True
    )
    finish(module, LIBRARIES, lambda: publish.publish(module.params, module.check_mode))


if __name__ == "__main__":
    main()
