#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_rsa_key_info
short_description: Read the RSA keys of a Cisco IOS device
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Lists the RSA keys of a device, or those under one label, with fingerprint and public key.
  - >-
    Temporary keys, which IOS makes for itself, are left out. A key under a scratch label
    (C(LABEL.vpnops-new)), left by an interrupted replacement, is listed.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.info_module
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.one_device
  - vpnops.keys._ios.label
options:
  label:
    description: Read only the key under this label. It is not an error if there is none.
    type: str
seealso:
  - module: vpnops.keys.ios_rsa_key
  - module: vpnops.keys.ios_rsa_key_compare
"""

EXAMPLES = r"""
- name: Read all RSA keys
  vpnops.keys.ios_rsa_key_info:
  register: result

- name: Show their labels and fingerprints
  ansible.builtin.debug:
    msg: "{{ result.rsa_keys | items2dict(key_name='label', value_name='fingerprint') }}"

- name: Read one key
  vpnops.keys.ios_rsa_key_info:
    label: GETVPN-REKEY
  register: rekey

- name: Make sure that it is there, and not known to be lost at a reload
  ansible.builtin.assert:
    that:
      - rekey.rsa_keys | length > 0
      - rekey.rsa_keys | selectattr('saved', 'false') | length == 0
    fail_msg: The key is not there, or not saved.
"""

RETURN = r"""
rsa_keys:
  description:
    - The RSA keys of the device, in its order.
    - A pair of usage keys is two entries with the same label.
  returned: success
  type: list
  elements: dict
  contains:
    # rsa_key, of docs/returned
    label:
      description: Label of the key.
      type: str
      sample: GETVPN-REKEY
    usage:
      description: What the key is for.
      type: str
      choices: [general, signature, encryption]
      sample: general
    size:
      description: Bits.
      type: int
      sample: 2048
    exportable:
      description: Whether the private key may leave the device, encrypted.
      type: bool
      sample: true
    saved:
      description: >-
        Whether the key survives a reload. Many devices do not show it: then true after the device said that it
        saved, false after a change from this control node that was not saved, and null otherwise.
      type: bool
      sample: true
    storage:
      description: Where the device keeps the key, in its words; null if it does not show it.
      type: str
      sample: private-config
    generated:
      description: When the key was generated, or imported, as the device reports it, by its clock.
      type: str
      sample: 06:51:40 UTC Aug 30 2026
    fingerprint:
      description: SHA-256 over the public key (DER SubjectPublicKeyInfo), in lower-case hex.
      type: str
      sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
    public_key:
      description: The public key as PEM.
      type: str
      sample: |
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAx+sKEtazQ5g3UPElsAjM
        7Sgpm06dvo6xXcAR5ZamusfajhX6Y+mzDvnhpFLsTy26XCow1CbNpBILRxi/8Pbl
        245q6H70AzSk4MnivzIsdxR+YjmkphJn2Ar8ArHMouZ/hE6aENejqG2gz0vEFvRn
        0UFQjmVVkEgVOqaF7PZeCuUO9EilfkcuRxsoB+vJ6+yQQ0OD1Lb96GFiSh5I9wTv
        lvy81x/E8Ge8oRHzIz2DLHOCzHOX3FZAGshdAaMZQUB3v0sm3m7xn/JBfQAKtxzk
        dc/ldkNNrxtPRnnVLdxHsfGn2YvfSBq0vdNCV1Pj1IBOB1w8XT+PZBseQkgLE5hH
        WQIDAQAB
        -----END PUBLIC KEY-----
    # rsa_key ends
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure or unreachable, if it was found by this collection
  type: str
  sample: not_exportable
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC = dict(
    label=dict(type="str", no_log=False),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
