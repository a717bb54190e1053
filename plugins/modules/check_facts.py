#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_facts
short_description: Refuse a host whose facts would set variables of this collection
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Ansible makes a variable of every fact of a host, with a higher precedence than role defaults and the inventory.
    So a tampered device can set any variable in a play that gathers facts, or uses cached facts.
  - >-
    Fails for a host whose facts have the name of a variable that the roles and playbooks of this collection read.
    The host is then excluded from the rest of the play, and the play continues with the other hosts.
  - >-
    The roles and playbooks of this collection do this first, the roles by a dependency, before Ansible validates their
    arguments. It contacts no device.
  - It has no options, so that no variable can influence it.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.info_module
options: {}
notes:
  - >-
    The same variables set in an inventory, in a play, with C(-e) or by C(set_fact) without
    C(cacheable) are no facts, and do no harm.
"""

EXAMPLES = r"""
# First among the tasks of a play that gathers facts, or has them from a cache.
- name: Check that no fact is a variable of the collection
  vpnops.keys.check_facts:

- name: Report the state of the gateways
  ansible.builtin.import_role:
    name: vpnops.keys.gateway_keys
    tasks_from: status
"""

RETURN = r"""
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: refused
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC: dict[str, object] = {}


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
