#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: getvpn_info
short_description: Read the GET VPN groups of a Cisco IOS key server
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Lists the GET VPN groups of a device: how they are configured, the COOP role and peers, the policy that is
    handed out, the members, and the fingerprint of the RSA key that signs the rekeys.
  - Groups configured by C(crypto gdoi group) and by C(crypto gkm group) are both read.
  - Groups that the device is only a member of are left out.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.info_module
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.one_device
options: {}
seealso:
  - module: vpnops.keys.ios_rsa_key_info
  - module: vpnops.keys.ios_rsa_key_compare
"""

EXAMPLES = r"""
- name: Read the groups of every key server
  vpnops.keys.getvpn_info:
  register: getvpn

- name: Show role, key and members
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.role }}, {{ item.label }} {{ item.fingerprint }}, {{ item.registered }} members"
  loop: "{{ getvpn.groups }}"
  loop_control:
    label: "{{ item.name }}"

- name: Fail if members miss rekeys
  ansible.builtin.assert:
    that:
      - getvpn.groups | length > 0
      - getvpn.groups | selectattr('acks_missed') | length == 0
    fail_msg: There is no group, or some members have missed rekeys.
"""

RETURN = r"""
release:
  description: The release of IOS XE or IOS; null if the device does not show it.
  returned: success
  type: str
  sample: 17.09.04a
groups:
  description: The groups that the device serves as key server. What the device does not show is null.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the group on this device.
      type: str
      sample: EUROPE
    kind:
      description: The command that configures it.
      type: str
      choices: [gdoi, gkm]
      sample: gdoi
    identity:
      description: >-
        Identity number or address. This, and not the name, is what key servers and members exchange.
      type: str
      sample: "1234"
    label:
      description: Label of the RSA key that signs the rekeys.
      type: str
      sample: GETVPN-REKEY
    fingerprint:
      description: Fingerprint of the key under this label; null if there is none.
      type: str
      sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
    startup_label:
      description: >-
        Label in the startup configuration, which is used after a reload; null if it is not shown. It differs from the
        label if the configuration was not saved.
      type: str
      sample: GETVPN-REKEY
    rekeys_sent:
      description: Rekeys of the group that this key server has sent since it started.
      type: int
      sample: 12
    last_rekey_retransmits:
      description: How often the last rekey was sent again; IOS 15 does not show it.
      type: int
      sample: 0
    last_rekey_milliseconds:
      description: How long the last rekey took; IOS 15 does not show it.
      type: int
      sample: 10000
    priority:
      description: Configured COOP priority.
      type: int
      sample: 100
    address:
      description: Configured address of this key server.
      type: str
      sample: 192.0.2.11
    peers:
      description: Configured addresses of the cooperative key servers.
      type: list
      elements: str
      sample: [192.0.2.12]
    redundancy:
      description: Whether C(redundancy) (COOP) is configured.
      type: bool
      sample: true
    local_server:
      description: Whether the device is a key server of the group. Always V(true) here.
      type: bool
      sample: true
    rekey_lifetime:
      description: Configured lifetime of the KEK, in seconds.
      type: int
      sample: 86400
    rekey_algorithm:
      description: Configured encryption of rekeys.
      type: str
      sample: aes 256
    rekey_transport:
      description: Configured transport of rekeys.
      type: str
      sample: unicast
    sa_lifetimes:
      description: >-
        Configured lifetimes of the IPsec profiles of the group, in seconds, as far as they are set.
      type: list
      elements: int
      sample: [7200]
    role:
      description: COOP role; null where COOP does not run.
      type: str
      choices: [Primary, Secondary]
      sample: Primary
    coop:
      description: How this key server sees the cooperation; null if the device shows nothing about it.
      type: dict
      contains:
        redundancy:
          description: Whether COOP runs for the group.
          type: bool
          sample: true
        address:
          description: Address of this key server.
          type: str
          sample: 192.0.2.11
        priority:
          description: Its priority.
          type: int
          sample: 100
        role:
          description: Its role; null if the device reports another one.
          type: str
          choices: [Primary, Secondary]
          sample: Primary
        status:
          description: Its status, as the device reports it.
          type: str
          sample: Alive
        version:
          description: Its version of GET VPN; IOS 15 does not show it.
          type: str
          sample: 1.0.27
        coop_version:
          description: Its version of COOP; IOS 15 does not show it.
          type: str
          sample: 1.0.8
        peers:
          description: The other key servers.
          type: list
          elements: dict
          contains:
            address:
              description: Address of the peer.
              type: str
              sample: 192.0.2.12
            priority:
              description: Its priority.
              type: int
              sample: 90
            role:
              description: Its role.
              type: str
              choices: [Primary, Secondary]
              sample: Secondary
            status:
              description: Its status, as the device reports it.
              type: str
              sample: Alive
            ike:
              description: State of the IKE session with it, as the device reports it.
              type: str
              sample: Established
            version:
              description: Its version of GET VPN; IOS 15 does not show it.
              type: str
              sample: 1.0.27
            coop_version:
              description: Its version of COOP; IOS 15 does not show it.
              type: str
              sample: 1.0.8
            heard:
              description: >-
                Number of its last announcement that was accepted. It grows as long as this key server
                receives COOP messages from it.
              type: int
              sample: 4711
            announcements:
              description: How many announcements came from it.
              type: int
              sample: 4711
    policy:
      description: What the key server hands out; null if the device shows nothing about it.
      type: dict
      contains:
        group:
          description: Name of the group.
          type: str
          sample: EUROPE
        server:
          description: Address of the key server.
          type: str
          sample: 192.0.2.11
        sequence:
          description: Number of the last rekey.
          type: int
          sample: 7
        kek:
          description: The key that protects rekeys; null before there is one.
          type: dict
          contains:
            spi:
              description: SPI.
              type: str
              sample: "0xEEB0E9A2BBD4C71AF1034F6B24EB8022"
            transport:
              description: Transport of rekeys.
              type: str
              sample: Unicast
            algorithm:
              description: Encryption algorithm.
              type: str
              sample: AES
            lifetime:
              description: Lifetime in seconds.
              type: int
              sample: 86400
            remaining:
              description: Seconds left of it.
              type: int
              sample: 787
            time_to_rekey:
              description: Seconds to the next rekey.
              type: int
              sample: 552
            sig_hash:
              description: What the device shows as its signature hash algorithm.
              type: str
              sample: enabled
            sig_key_label:
              description: Label of the RSA key that signs.
              type: str
              sample: GETVPN-REKEY
            sig_key_bytes:
              description: >-
                Length of the DER of its public key in bytes. Old releases show the bits of its modulus
                instead.
              type: int
              sample: 294
            sig_bytes:
              description: Length of a signature in bytes.
              type: int
              sample: 256
            acknowledgement:
              description: Kind of the members' acknowledgements.
              type: str
              sample: Cisco
        teks:
          description: The keys that protect traffic.
          type: list
          elements: dict
          contains:
            spi:
              description: SPI.
              type: str
              sample: "0xEE021924"
            access_list:
              description: The access list that says which traffic.
              type: str
              sample: acl1
            transform:
              description: The transform set.
              type: str
              sample: esp-256-aes esp-sha256-hmac
            lifetime:
              description: Lifetime in seconds.
              type: int
              sample: 600
            remaining:
              description: Seconds left of it.
              type: int
              sample: 188
            time_to_rekey:
              description: Seconds to the rekey that brings the next one; null for one that is not the newest.
              type: int
              sample: 98
            antireplay_window:
              description: Size of the anti-replay window.
              type: int
              sample: 64
    members:
      description: The group members that this key server lists.
      type: list
      elements: dict
      contains:
        address:
          description: Address of the member.
          type: str
          sample: 198.51.100.1
        group:
          description: Name of the group.
          type: str
          sample: EUROPE
        state:
          description: State, as the device reports it.
          type: str
          sample: Registered
        key_server:
          description: The key server that it registered with.
          type: str
          sample: 192.0.2.11
        version:
          description: Version of GET VPN on the member.
          type: str
          sample: 1.0.25
        rekeys_sent:
          description: Rekeys sent to it.
          type: int
          sample: 3
        rekey_retries:
          description: Rekeys sent again.
          type: int
          sample: 0
        acks_received:
          description: Acknowledgements received from it.
          type: int
          sample: 3
        acks_missed:
          description: Acknowledgements missed.
          type: int
          sample: 0
    registered:
      description: How many members are registered.
      type: int
      sample: 1
    acks_missed:
      description: Acknowledgements missed, of all members.
      type: int
      sample: 0
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure or unreachable, if it was found by this collection
  type: str
  sample: not_exportable
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC: dict[str, object] = {}


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
