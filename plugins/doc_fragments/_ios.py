# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that talk to IOS devices have in common. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    # Every module that talks to devices.
    DOCUMENTATION = r"""
options: {}
requirements:
  - asyncssh >= 2.19 (on the control node)
  - cryptography >= 42 (on the control node)
notes:
  - >-
    How to reach and enter a device is read from the variables and command-line options that an inventory for
    C(ansible.netcommon.network_cli) sets already, and from C(~/.ssh/config). The connection guide lists them
    all.
  - >-
    The session needs privilege level 15, at login or by C(enable) (C(ansible_become=true) and
    C(ansible_become_method=enable)).
  - >-
    Nothing private is in results, diffs, messages or logs; only M(vpnops.keys.ios_rsa_key_export) returns an
    encrypted private key, when asked to. A private key leaves a device only encrypted under a one-time
    passphrase that is made for that transfer and held in memory. This one-time passphrase is part of a
    command line on the device, so AAA command accounting sees it. A passphrase that is given to a module
    never goes to a device.
seealso:
  - ref: ansible_collections.vpnops.keys.docsite.guide_connection
    description: All connection variables, host keys, old devices, and what the error codes mean.
"""

    # Modules that work on the host of the task.
    ONE_DEVICE = r"""
options: {}
notes:
  - >-
    The module opens one SSH session to the device, so it takes one vty line and one login for the time of the
    task. Paging and log messages are switched off for this session only.
"""

    # Modules with the option `label`.
    LABEL = r"""
options: {}
notes:
  - >-
    A label has letters, digits, C(.), C(_) and C(-), at most 64 of them. It must not begin with C(-), end in
    C(.server) or in C(.vpnops-new), or be a word of the C(crypto key) commands, such as V(all) or V(modulus).
    Any other label is refused, and nothing is changed. C(LABEL.vpnops-new) is the scratch label of C(LABEL),
    where a new key is proved before it replaces another.
"""

    # Modules that make or copy keys.
    EXPORTABLE = r"""
options: {}
notes:
  - >-
    Whether a key is exportable is decided when it is generated or imported, and it can never be made
    exportable later. An imported key is not exportable unless that was asked for. Keys are not part of a
    configuration backup, so where no exportable copy is left, a key server that dies cannot be replaced
    without a new key for the group.
"""

    # Modules that write and have the option `save`.
    SAVE = r"""
options: {}
notes:
  - >-
    A key is lost at a reload until the configuration is written. With O(save=true) the module sends C(write
    memory), which also saves whatever else was not saved, and takes the device's C([OK]) for it. That a listing
    shows C(Storage Device: not specified) does not mean that a key is not saved. What a run changed and did not
    save is noted in C(~/.ansible/vpnops.keys) on the control node, so that the next one saves it.
"""

    # Modules that replace keys by import.
    REPLACE = r"""
options: {}
notes:
  - >-
    A different key under a label can only be replaced by removing it and importing the new one. So the new
    key is first imported under the scratch label, proved and, with O(save=true), saved; then the old key is
    removed, the new one imported under the label and proved, and the scratch key removed. If that import
    fails, the old key is put back, if it is exportable. A run that was cut off leaves a whole key, under the
    label or under the scratch label; running the same again finishes it.
"""
