#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_rsa_key_export
short_description: Export an RSA key of a Cisco IOS device
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Exports an RSA key from a device, checks on the control node that it can be decrypted and is the key that the
    device shows, and writes it to a file, returns it, or neither.
  - >-
    The device encrypts the key under a one-time passphrase. On the control node it is encrypted again under
    O(passphrase) before it is written or returned.
  - Nothing on the device is changed.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.one_device
  - vpnops.keys._ios.label
  - vpnops.keys._ios.exportable
attributes:
  check_mode:
    support: full
    details: >-
      The key is exported and checked in check mode as well, as this changes nothing on the device. O(path) is not
      written.
  diff_mode:
    support: full
    details: Shows the fingerprints of the key in O(path), before and after.
  idempotent:
    support: full
    details: >-
      O(path) is written only if it has another key or does not exist. RV(content) differs from run to run,
      because every encryption has a new salt.
options:
  label:
    description:
      - Label of the key.
      - A pair of usage keys under one label cannot be exported.
    type: str
    required: true
  passphrase:
    description:
      - Passphrase for the private key in O(path) and RV(content), at least 8 characters.
      - >-
        Required by O(path) and by O(return_content=true). Without these the module only checks that the key can be
        exported.
    type: str
  path:
    description:
      - >-
        File on the control node for public key and encrypted private key (PEM). Only its owner may read it
        (C(0600)).
      - Its directory must exist.
      - A file that does not contain a private key under O(passphrase) is never overwritten.
    type: path
  format:
    description:
      - Format of the encrypted private key in O(path) and RV(content).
      - V(pkcs8) is strong and read by OpenSSL and by M(vpnops.keys.ios_rsa_key_import).
      - >-
        V(ios) is for C(crypto key import rsa ... pem) on the command line. It is weak (triple DES, its key derived
        by one round of MD5), so it needs a long random passphrase.
    type: str
    choices: [pkcs8, ios]
    default: pkcs8
  return_content:
    description: Return public key and encrypted private key as RV(content). Use C(no_log) with it.
    type: bool
    default: false
seealso:
  - module: vpnops.keys.ios_rsa_key_import
  - module: vpnops.keys.ios_rsa_key_info
"""

EXAMPLES = r"""
- name: Keep an encrypted backup of the key
  vpnops.keys.ios_rsa_key_export:
    label: GETVPN-REKEY
    path: "{{ playbook_dir }}/{{ inventory_hostname }}-GETVPN-REKEY.pem"
    passphrase: "{{ vault_key_passphrase }}"

- name: Check that the key can be exported
  vpnops.keys.ios_rsa_key_export:
    label: GETVPN-REKEY

- name: Take the key into a variable, in the form that IOS imports
  vpnops.keys.ios_rsa_key_export:
    label: GETVPN-REKEY
    passphrase: "{{ vault_key_passphrase }}"
    format: ios
    return_content: true
  no_log: true
  register: exported
"""

RETURN = r"""
label:
  description: Label of the key.
  returned: success
  type: str
  sample: GETVPN-REKEY
fingerprint:
  description: SHA-256 over the public key (DER SubjectPublicKeyInfo), in lower-case hex.
  returned: success
  type: str
  sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
public_key:
  description: The public key as PEM.
  returned: success
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
path:
  description: The file that holds the key.
  returned: if O(path) is set
  type: str
  sample: /srv/keys/ks1-GETVPN-REKEY.pem
content:
  description: Public key and encrypted private key as PEM.
  returned: if O(return_content=true)
  type: str
  sample: |
    -----BEGIN PUBLIC KEY-----
    ...
    -----END PUBLIC KEY-----
    -----BEGIN ENCRYPTED PRIVATE KEY-----
    ...
    -----END ENCRYPTED PRIVATE KEY-----
diff:
  description: The fingerprints of the key in O(path), before and after.
  returned: if O(path) is set
  type: dict
  sample:
    before_header: /srv/keys/ks1-GETVPN-REKEY.pem
    after_header: /srv/keys/ks1-GETVPN-REKEY.pem
    before: ""
    after: "bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f\n"
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
    label=dict(type="str", required=True, no_log=False),
    passphrase=dict(type="str", no_log=True),
    path=dict(type="path"),
    format=dict(type="str", choices=["pkcs8", "ios"], default="pkcs8"),
    return_content=dict(type="bool", default=False),
)

REQUIRED_BY = dict(path=["passphrase"])
REQUIRED_IF = [("return_content", True, ["passphrase"])]


def main() -> None:
    fail_without_action(ARGUMENT_SPEC, required_by=REQUIRED_BY, required_if=REQUIRED_IF)


if __name__ == "__main__":
    main()
