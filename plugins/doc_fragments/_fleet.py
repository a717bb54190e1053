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
      - The key servers, by their names in the inventory.
      - >-
        List all key servers of a GET VPN group. Take them from the inventory group, not from the hosts of the play,
        because a play may be limited. Other key servers are neither read nor changed.
      - >-
        An element may be an Ansible host pattern, such as V(key_servers:!ks3). Each must match a host.
      - At least one key server must be named, here or in O(groups).
    type: list
    elements: str
  label:
    description:
      - The label under which all O(hosts) must have the same key. They then form one unit.
      - >-
        Without O(label) and O(groups), labels and units are found on the devices, from C(crypto gdoi group)
        and C(crypto gkm group) in the configuration.
      - Mutually exclusive with O(groups).
    type: str
  groups:
    description:
      - >-
        All GET VPN groups, instead of the configuration of the devices. A key server that is in none of them is not
        changed.
      - >-
        Without O(groups) and O(label), two key servers belong to one group only if each has the other configured as
        a COOP peer in it. The addresses of a key server are C(ansible_host) and the variable C(key_server_addresses)
        (a list) in the inventory. If its peers do not have a key server configured, it is in RV(claims) and gets no
        key.
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
        The GET VPN groups to work on, by name or by pattern, with the syntax of host patterns: V(EUROPE), V(EU*),
        V(all:!ASIA) or V(~EU[12]). Each must match a group.
      - >-
        All O(hosts) are read anyway, because the groups follow from the configuration of all of them. Other groups
        are not planned and not reported, and cannot make the task fail. Groups that share a key are selected
        together, and excluded together if one of them is excluded.
    type: list
    elements: str
  allowed_hosts:
    description:
      - >-
        Key servers that may be changed, for example C(ansible_play_hosts_all) of a limited play. Groups without any
        of them are not selected, as with O(only_groups).
      - >-
        M(vpnops.keys.ios_rsa_key_sync) does not change a unit whose plan would change another key server, and says
        so in
        RV(vpnops.keys.ios_rsa_key_sync#module:units[].error). Exporting a key is not a change.
      - Without this option every key server may be changed.
    type: list
    elements: str
  allow_partial_inventory:
    description:
      - Continue if key servers have peers configured whose addresses no key server in the inventory has.
      - >-
        With V(false) the task fails then, and changes nothing. Use it if the inventory may be incomplete, as in a job
        slice of AWX.
    type: bool
    default: true
  primary:
    description:
      - >-
        Key servers of O(hosts) to use as the primary, instead of the COOP primary; at most one of each unit. The key
        of the primary is the one that stays.
      - >-
        If more than one key server of a group says that it is the primary, the group is split: its verdict is
        V(split) and nothing is changed in it, unless one of its key servers is named here and O(overwrite=true).
    type: list
    elements: str
    default: []
  overwrite:
    description:
      - Whether keys that differ from the key of the unit may be replaced.
      - With V(false) a unit that needs it is not changed, and its RV(units[].needs_consent) is V(true).
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
      - With V(false) only the source can export the key to a new key server.
    type: bool
    default: true
  compromised:
    description:
      - >-
        Fingerprints, or at least their first 12 digits, of keys that may be stolen and must be replaced on all key
        servers.
      - >-
        Such a key is never copied. If all key servers have one, the plan is a new key, generated on the primary;
        this replaces keys, so it needs O(overwrite). In units without such a key, no key is replaced then.
      - >-
        Fails for a fingerprint that no key server has, because a digit may be wrong, unless
        O(allow_absent_compromised=true).
    type: list
    elements: str
    default: []
  allow_absent_compromised:
    description: Continue if no key server has a key of O(compromised), for example because an earlier run has
      replaced it.
    type: bool
    default: false
  save:
    description: >-
      Write the configuration of the key servers that were changed by this run, or by an earlier one from this control
      node that did not save. Keys that are not saved are lost at a reload.
    type: bool
    default: true
  parallel:
    description: Number of parallel sessions, at least 1.
    type: int
    default: 64
  timeout:
    description:
      - Seconds for reading one device, at least 1.
      - >-
        They count from the established SSH connection; connecting has its own limit
        (C(ansible_connect_timeout)).
    type: int
    default: 120
"""
