#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_rsa_key
short_description: Generate or remove a labeled RSA key on a Cisco IOS device
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Makes sure that a key under a label exists, or does not exist.
  - >-
    An existing key is never replaced unless O(regenerate) allows it, and only the key under O(label) is ever
    removed.
  - >-
    For the key that several GET VPN key servers share, use M(vpnops.keys.ios_rsa_key_sync): this module gives
    every device a key of its own.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.one_device
  - vpnops.keys._ios.label
  - vpnops.keys._ios.exportable
  - vpnops.keys._ios.save
attributes:
  check_mode:
    support: full
    details: >-
      The device is read, not changed. An unsupported size is detected only when a key is really generated, because
      the device shows its limits only then.
  diff_mode:
    support: full
    details: >-
      Shows fingerprints. A new key is shown as C((new)), also after it is generated.
  idempotent:
    support: partial
    details: With O(regenerate=always) every run makes a new key.
options:
  label:
    description: Label of the key.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that there is a key under the label.
      - V(absent) removes it. This cannot be undone.
    type: str
    choices: [present, absent]
    default: present
  size:
    description:
      - Bits of the key.
      - >-
        Most devices make keys of 360 to 4096 bits; some allow less. A size that the device refuses is an
        error, and nothing is changed.
    type: int
    default: 2048
  usage:
    description: What the key is for. GET VPN rekeys need V(general).
    type: str
    choices: [general, signature, encryption]
    default: general
  exportable:
    description: Whether the private key may leave the device, encrypted.
    type: bool
    default: false
  regenerate:
    description:
      - What to do if there is a key under the label already.
      - V(never) accepts any key.
      - V(fail) accepts it if its size, usage and exportability are as asked for, and fails otherwise.
      - V(partial_idempotence) replaces it if its size, usage or exportability differs from the options.
      - V(always) replaces it.
      - >-
        The device replaces the key itself, in one step. The old key is then deleted, so export it first
        (M(vpnops.keys.ios_rsa_key_export)) if it may be needed again.
    type: str
    choices: [never, fail, partial_idempotence, always]
    default: fail
  allow_last_key:
    description:
      - Remove a key also if it is the last RSA key of the device.
      - The SSH server of IOS needs an RSA key. Without one, SSH logins are not possible any more.
    type: bool
    default: false
  save:
    description:
      - Write the configuration after a change.
      - Also save if nothing else is to be done, but an earlier run from this control node changed keys of the device
        without saving.
    type: bool
    default: true
  generation_timeout:
    description:
      - Seconds that generating the key may take.
      - Large keys take minutes on old devices. A session never lasts longer than 1800 seconds.
    type: int
    default: 600
seealso:
  - module: vpnops.keys.ios_rsa_key_info
  - module: vpnops.keys.ios_rsa_key_export
  - module: vpnops.keys.ios_rsa_key_sync
"""

EXAMPLES = r"""
- name: Make sure that every router has an SSH key
  vpnops.keys.ios_rsa_key:
    label: SSH
    size: 3072

- name: Replace it if it is smaller, and do not write the configuration yet
  vpnops.keys.ios_rsa_key:
    label: SSH
    size: 4096
    regenerate: partial_idempotence
    generation_timeout: 1200
    save: false

- name: Make sure that a key that others will need can be exported
  vpnops.keys.ios_rsa_key:
    label: GETVPN-REKEY
    exportable: true
    regenerate: never

- name: Remove a key that is no longer used
  vpnops.keys.ios_rsa_key:
    label: OLD-REKEY
    state: absent

- name: Set the label for several tasks at once
  module_defaults:
    group/vpnops.keys.ios:
      label: GETVPN-REKEY
  block:
    - name: Make sure that the key is there
      vpnops.keys.ios_rsa_key:
        exportable: true

    - name: Read it
      vpnops.keys.ios_rsa_key_info:
      register: rekey
"""

RETURN = r"""
key:
  description: The key under the label, as the device shows it afterwards.
  returned: success, if there is a key now; in check mode only if no key would be generated or removed
  type: dict
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
diff:
  description: The key before and after, by fingerprint.
  returned: success
  type: dict
  sample:
    before_header: GETVPN-REKEY
    after_header: GETVPN-REKEY
    before: ""
    after: |
      fingerprint: (new)
      size: 2048
      usage: general
      exportable: true
      saved: true
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
    state=dict(type="str", choices=["present", "absent"], default="present"),
    size=dict(type="int", default=2048),
    usage=dict(type="str", choices=["general", "signature", "encryption"], default="general"),
    exportable=dict(type="bool", default=False),
    regenerate=dict(type="str", choices=["never", "fail", "partial_idempotence", "always"], default="fail"),
    allow_last_key=dict(type="bool", default=False),
    save=dict(type="bool", default=True),
    generation_timeout=dict(type="int", default=600),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
