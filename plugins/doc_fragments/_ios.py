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
    The connection uses the variables and command-line options of C(ansible.netcommon.network_cli), and
    C(~/.ssh/config). The connection guide lists all of them.
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
    where a new key is checked before it replaces another one.
"""

    # Modules that make or copy keys.
    EXPORTABLE = r"""
options: {}
notes:
  - >-
    Whether a key is exportable is decided when it is generated or imported, and it can never be made
    exportable later. An imported key is not exportable unless you set this. Keys are not part of a configuration
    backup, so without an exportable copy, a dead key server cannot be replaced without a new key for the group.
"""

    # Modules that write and have the option `save`.
    SAVE = r"""
options: {}
notes:
  - >-
    A key is lost at a reload until the configuration is written. With O(save=true) the module sends C(write
    memory), which also saves whatever else was not saved, and takes the device's C([OK]) for it. C(Storage Device:
    not specified) in the output of the device does not mean that a key is not saved. What a run changed and did not
    save is noted in C(~/.ansible/vpnops.keys) on the control node, so that the next one saves it.
"""

    # Modules that replace keys by import.
    REPLACE = r"""
options: {}
notes:
  - >-
    A different key under a label can only be replaced by removing it and importing the new one. So the new key is
    first imported under the scratch label, checked and, with O(save=true), saved. Then the old key is removed, the
    new one is imported under the label and checked, and the scratch key is removed. If that import fails, the old
    key is restored, if it is exportable. An interrupted run leaves a complete key, under the label or under the
    scratch label; run the same task again to finish it.
"""
