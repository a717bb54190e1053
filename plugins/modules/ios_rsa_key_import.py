#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_rsa_key_import
short_description: Import an RSA key to a Cisco IOS device
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Imports an RSA key pair under a label: from another device (O(from_host)), from a file on the control node
    (O(path)), or from a text (O(content)); exactly one of them is needed.
  - >-
    With O(from_host) the key is exported there and imported here by the same task, so neither the key nor its
    one-time passphrase is ever in a task, a variable or a result. It is exported only if it has to be imported.
  - >-
    An equal key under the label is not changed, exportable or not. A different one is replaced only with
    O(overwrite=true).
  - >-
    The module succeeds only if the device says that the import succeeded and shows the right public key
    afterwards.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.one_device
  - vpnops.keys._ios.label
  - vpnops.keys._ios.exportable
  - vpnops.keys._ios.save
  - vpnops.keys._ios.replace
attributes:
  check_mode:
    support: full
    details: >-
      Both devices are read, and a file or text is opened. No private key is exported. Nothing is changed
      and no backup is written.
  diff_mode:
    support: full
    details: Shows fingerprints.
  idempotent:
    support: full
notes:
  - With O(from_host) a second session is open to that device at the same time.
  - >-
    With O(from_host), if that device is unreachable, the host of the task counts as unreachable. The
    message names the device.
options:
  label:
    description: Label of the key on the device.
    type: str
    required: true
  from_host:
    description:
      - Name in the inventory of the device that has the key. It need not be in the play.
      - The key must be exportable there.
    type: str
  from_label:
    description: Label of the key on O(from_host), if it is not O(label). Requires O(from_host).
    type: str
  content:
    description:
      - >-
        The key as PEM, with one encrypted private key (PKCS#8, or the format that IOS and old versions of OpenSSL
        write), at most 64 kB.
      - If there is a public key too, it must belong to the private key.
    type: str
  path:
    description: File on the control node that holds the key as PEM, as for O(content).
    type: path
  passphrase:
    description:
      - >-
        Passphrase of the private key in O(content) or O(path). Needed for both, as keys that are not
        encrypted are refused.
      - It is never sent to the device. The key is encrypted again under a one-time passphrase for the transfer.
    type: str
  exportable:
    description: >-
      Whether the key is exportable on this device too. Has no effect if an equal key is there already.
    type: bool
    default: false
  overwrite:
    description: >-
      Replace a different key under the label. Without it, a different key is an error and nothing is changed.
    type: bool
    default: false
  minimum_size:
    description: A key with fewer bits is refused.
    type: int
    default: 2048
  backup_path:
    description:
      - >-
        File on the control node that gets the key which is replaced, encrypted under O(backup_passphrase).
        Only its owner may read it.
      - Its directory must exist.
      - A key that is not exportable cannot be backed up; then the module fails before anything is changed.
      - Requires O(backup_passphrase).
    type: path
  backup_passphrase:
    description: Passphrase for O(backup_path), at least 8 characters.
    type: str
  save:
    description: >-
      Write the configuration after a change, and also if the same key was there, but an earlier run from this control
      node changed keys of the device without saving.
    type: bool
    default: true
seealso:
  - module: vpnops.keys.ios_rsa_key_export
  - module: vpnops.keys.ios_rsa_key_sync
"""

EXAMPLES = r"""
- name: Copy the key from another key server, straight from device to device
  vpnops.keys.ios_rsa_key_import:
    label: GETVPN-REKEY
    from_host: ks1
    exportable: true

- name: Restore a key from a backup
  vpnops.keys.ios_rsa_key_import:
    label: GETVPN-REKEY
    path: "{{ playbook_dir }}/ks1-GETVPN-REKEY.pem"
    passphrase: "{{ vault_key_passphrase }}"
    exportable: true

- name: Import a key from a vaulted variable, in place of the key that is there, and keep that one
  vpnops.keys.ios_rsa_key_import:
    label: GETVPN-REKEY
    content: "{{ vault_rekey_pem }}"
    passphrase: "{{ vault_key_passphrase }}"
    overwrite: true
    backup_path: "{{ playbook_dir }}/{{ inventory_hostname }}-GETVPN-REKEY-old.pem"
    backup_passphrase: "{{ vault_key_passphrase }}"
"""

RETURN = r"""
fingerprint:
  description: >-
    Fingerprint of the key that must be under the label: SHA-256 over the public key (DER
    SubjectPublicKeyInfo), in lower-case hex.
  returned: success
  type: str
  sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
key:
  description: The key under the label, as the device shows it afterwards.
  returned: success; in check mode only if an equal key is there already
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
      fingerprint: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
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
    from_host=dict(type="str"),
    from_label=dict(type="str", no_log=False),
    content=dict(type="str", no_log=True),
    path=dict(type="path"),
    passphrase=dict(type="str", no_log=True),
    exportable=dict(type="bool", default=False),
    overwrite=dict(type="bool", default=False),
    minimum_size=dict(type="int", default=2048),
    backup_path=dict(type="path"),
    backup_passphrase=dict(type="str", no_log=True),
    save=dict(type="bool", default=True),
)

MUTUALLY_EXCLUSIVE = [("from_host", "content", "path")]
REQUIRED_ONE_OF = [("from_host", "content", "path")]
REQUIRED_BY = dict(from_label=["from_host"], backup_path=["backup_passphrase"])


def main() -> None:
    fail_without_action(
        ARGUMENT_SPEC, mutually_exclusive=MUTUALLY_EXCLUSIVE, required_one_of=REQUIRED_ONE_OF, required_by=REQUIRED_BY
    )


if __name__ == "__main__":
    main()
