# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: fetch_barrier
short_description: Which peers that fetch have the next key of a gateway
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Decides which of the peers that fetch by themselves (M(vpnops.keys.gateway_fetch)) count as having stored what was
    published, before a gateway uses its next key.
  - >-
    A few of them are asked with O(vpnops.keys.gateway_peers#module:fetch_timeout). What they answer counts for
    themselves. Peers that were not asked or are unreachable count as having it after the time for it, which the
    playbook waits.
  - >-
    If two or more lack it, and fewer have it, then what was published does not arrive, and none of the others is
    counted. One alone cannot stop the others, because it may have been tampered with.
positional: answers
options:
  _input:
    description: Names of the peers that fetch, as RV(vpnops.keys.gateway_plan#module:plan.fetching) has them.
    type: list
    elements: str
    required: true
  answers:
    description: Results of M(vpnops.keys.gateway_peers) by host, as P(vpnops.keys.by_host#filter) collects them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Let a peer fetch what was published
  vpnops.keys.gateway_peers:
    gateway: "{{ inventory_hostname }}"
    peers: "{{ known.peers }}"
    fetch_timeout: 60
  register: fetched

- name: Show who has it
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | vpnops.keys.fetch_barrier(answers) }}"
  run_once: true
  vars:
    answers: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'fetched') }}"
"""

RETURN = r"""
_value:
  description: Names of peers.
  type: dict
  contains:
    holding:
      description: Those that say that they have stored everything.
      type: list
      elements: str
    lacking:
      description: Those that answered, and have not.
      type: list
      elements: str
    counted:
      description: Those that were not asked or did not answer, and count as having it after the time for it.
      type: list
      elements: str
"""

import typing as t
from collections.abc import Mapping, Sequence

if t.TYPE_CHECKING:
    from ..plugin_utils.device_answer import Answer


def fetch_barrier(fetching: Sequence[str], answers: Mapping[str, t.Any]) -> dict[str, t.Any]:
    # Ansible loads all filters of a collection for one of them, also for key servers.
    from ..module_utils._fleet.barrier import barrier
    from ..plugin_utils import device_answer

    found = device_answer.answers("gateway_peers", answers)
    return barrier(list(fetching), {host: _state(one) for host, one in found.items()}).to_result()


def _state(one: Answer) -> str:
    """One key that it stores shows that what is published arrives; whose keys it refuses concerns these gateways alone.
    An answer that says neither is none."""
    from ..module_utils._fleet.observed import ABSENT, READY, REFUSED

    if one.state != READY:
        return one.state
    return READY if one.said["stored"] else REFUSED if one.left_out else ABSENT


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"fetch_barrier": fetch_barrier}
