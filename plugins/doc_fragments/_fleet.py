# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that ios_rsa_key_compare and ios_rsa_key_sync share. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  hosts:
    description:
      - Key servers to look at, by their names in the inventory.
      - >-
        Name all key servers of a GET VPN group, from the inventory group and not from the hosts of the play:
        a limited play must not leave anybody out. Whoever is not named is neither looked at nor changed.
      - >-
        An element may be a pattern of hosts as Ansible has them, such as V(key_servers:!ks3). Each must match a host.
      - At least one key server must be named, here or in O(groups).
    type: list
    elements: str
  label:
    description:
      - The label under which all O(hosts) must hold the same key. They then form one unit.
      - >-
        Without O(label) and O(groups), labels and units are found on the devices, from C(crypto gdoi group)
        and C(crypto gkm group) in the configuration.
      - Mutually exclusive with O(groups).
    type: str
  groups:
    description:
      - >-
        The GET VPN groups, in place of what the devices say. Name all of them; a key server that is in none is not
        changed.
      - >-
        Without O(groups) and O(label), two key servers are of one group only if each names the other as a COOP peer in
        it. An address is that of the key server to which the inventory gives it, as C(ansible_host) or in the variable
        C(key_server_addresses) (a list), whatever the devices say. What a key server says of others and they do not
        confirm is in RV(claims), and it gets no key by it.
      - Groups that share a label on one key server form one unit, as they share its key.
      - Mutually exclusive with O(label).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the group, for the result.
        type: str
        required: true
      label:
        description: Label of its RSA key.
        type: str
        required: true
      hosts:
        description: Its key servers, by their names in the inventory.
        type: list
        elements: str
        required: true
  only_groups:
    description:
      - >-
        The GET VPN groups that are meant, by name or by pattern: as Ansible has patterns of hosts, such as V(EUROPE),
        V(EU*), V(all:!ASIA) or V(~EU[12]). Each must match a group.
      - >-
        All O(hosts) are looked at all the same, as only they together say what belongs together. Other groups are
        neither planned nor reported, and do not fail the task. Groups that share a key are chosen together.
    type: list
    elements: str
  allowed_hosts:
    description:
      - >-
        Key servers that may be changed, for example C(ansible_play_hosts_all) of a limited play. Groups without any of
        them are left out, as those that O(only_groups) does not choose.
      - >-
        M(vpnops.keys.ios_rsa_key_sync) leaves alone a unit whose plan would change another key server, and says so in
        RV(vpnops.keys.ios_rsa_key_sync#module:units[].error). To give a key away is no change.
      - Without this option every key server may be changed.
    type: list
    elements: str
  primary:
    description:
      - >-
        Key servers of O(hosts) that are the primary of theirs, whatever the key servers say of themselves; at most one
        of each unit. The key of the primary is the one that stays.
      - >-
        Where more than one key server of a group says that it is the primary, the group is split: its verdict is
        V(split) and nothing is changed in it, unless one of its key servers is named here and O(overwrite=true).
    type: list
    elements: str
    default: []
  overwrite:
    description:
      - Whether keys that differ from the key of the unit may be replaced.
      - With V(false) a unit that needs it is left as it is, and its RV(units[].needs_consent) is V(true).
    type: bool
    default: false
  size:
    description: >-
      Bits of a key that has to be generated, at least 360. The device may allow less than is asked for.
    type: int
    default: 2048
  minimum_size:
    description: >-
      A key with fewer bits is reported, and is not copied to others unless O(allow_weak_source=true).
    type: int
    default: 2048
  allow_weak_source:
    description: >-
      Copy a key to others even if it has fewer bits than O(minimum_size) or is not for general use.
    type: bool
    default: false
  exportable:
    description:
      - Whether imported keys are exportable. A generated key always is.
      - With V(false) only the source can give the key to a key server that replaces a dead one.
    type: bool
    default: true
  compromised:
    description:
      - >-
        Fingerprints, or their first 12 digits or more, of keys that no key server shall hold any more, because somebody
        else may have them.
      - >-
        Such a key is never copied. Where all key servers hold one, the plan is a new key, made on the primary; this
        replaces keys, so it needs O(overwrite). Of units that hold no such key, no key is replaced then.
      - >-
        Fails for a fingerprint that no key server holds, as one of its digits may be wrong, unless
        O(allow_absent_compromised=true).
    type: list
    elements: str
    default: []
  allow_absent_compromised:
    description: Go on where no key server holds a key of O(compromised), as after an earlier run that has replaced it.
    type: bool
    default: false
  save:
    description: >-
      Write the configuration of the key servers that were changed by this run, or by an earlier one from this control
      node that did not save. Keys that are not saved are lost at a reload.
    type: bool
    default: true
  parallel:
    description: How many devices are looked at at the same time, at least 1.
    type: int
    default: 64
  timeout:
    description:
      - Seconds that looking at one device may take, at least 1.
      - >-
        They count from the moment the SSH connection stands; connecting has a limit of its own
        (C(ansible_connect_timeout)).
    type: int
    default: 120
"""
