#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_due
short_description: Choose the gateways whose keys are due
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Names the gateways whose keys should be rotated now, because their period is over or ends soon. The key whose
    period ends first comes first.
  - >-
    A gateway that is unreachable, that refuses, or that has an open rotation is skipped and named, with the reason.
    Without O(observations) no gateway is skipped for what it reports.
  - This module contacts no gateway and no database.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
  - vpnops.keys._evaluation
  - vpnops.keys._evaluation.observations
  - vpnops.keys._evaluation.table
  - vpnops.keys._periods
options:
  max_gateways:
    description: Maximum number of gateways in one run; the others wait for the next run.
    type: int
    default: 5
  window:
    description:
      - >-
        The times at which gateways are chosen, for example C(mon-fri 22:00-04:00), C(sat,sun 00:00-24:00), or
        C(01:00-05:00) for every day. By default, always.
      - A time that ends before it begins ends on the next day. A rotation that has started in time is finished.
    type: list
    elements: str
    default: []
  timezone:
    description: The time zone of O(window), by its name in the IANA database.
    type: str
    default: UTC
  show:
    description: Whether to show the choice as a table.
    type: bool
    default: true
seealso:
  - module: vpnops.keys.gateway_plan
  - module: vpnops.keys.gateway_report
  - module: vpnops.keys.key_directory_info
"""

EXAMPLES = r"""
- name: Read the directory
  vpnops.keys.key_directory_info:
  delegate_to: localhost
  run_once: true
  register: known

- name: Choose at most three gateways whose keys are due, at night
  vpnops.keys.gateway_due:
    directory: "{{ known }}"
    max_gateways: 3
    window: [22:00-04:00]
    timezone: Europe/Berlin
    periods:
      gateway:
        days: 180
  run_once: true
  register: found
"""

RETURN = r"""
lines:
  description: The choice, as it is printed.
  returned: success, with O(show=true)
  type: list
  elements: str
due:
  description: The choice.
  returned: success
  type: dict
  contains:
    names:
      description: The gateways that should be rotated now.
      type: list
      elements: str
      sample: [gw1]
    skipped:
      description: Gateways whose keys are due but cannot be rotated now, each with C(gateway) and C(why).
      type: list
      elements: dict
    waiting:
      description: Gateways whose keys are due and that are left for another run.
      type: list
      elements: str
      sample: [gw2, gw3]
    closed:
      description: Whether no gateway was chosen because of O(window).
      type: bool
      sample: false
    ends:
      description: When the period of each of these keys ends, by gateway, in UTC.
      type: dict
      sample: {gw1: "2026-11-01T02:00:00Z"}
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: bad_input
"""

from ..module_utils._action_module import fail_without_action
from ..module_utils._fleet.periods import SPEC

ARGUMENT_SPEC = dict(
    directory=dict(type="dict", required=True),
    observations=dict(type="dict"),
    max_gateways=dict(type="int", default=5),
    window=dict(type="list", elements="str", default=[]),
    timezone=dict(type="str", default="UTC"),
    show=dict(type="bool", default=True),
    periods=SPEC,
    at=dict(type="str"),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
