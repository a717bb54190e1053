#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: check_variables
short_description: Refuse misspelled variables
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Ansible silently ignores a misspelled variable. This module fails and names the most similar variable.
  - >-
    It checks the variables of the task and of all hosts of the play that begin with C(gateway_keys_),
    C(key_directory_), C(key_report_) or C(key_server_sync_); in a role of this collection, those that belong to it.
  - >-
    Also fails if Ansible cut a value of C(-e) at a space: of C(-e gateway_keys_why="laptop stolen") it keeps
    V(laptop) only.
  - The roles and playbooks of this collection do this before they contact anything. It contacts no device.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.info_module
options: {}
notes:
  - Facts are not checked. M(vpnops.keys.check_facts) refuses a host whose facts have such names.
seealso:
  - module: vpnops.keys.check_facts
"""

EXAMPLES = r"""
- name: Check that no variable is misspelled
  vpnops.keys.check_variables:
  run_once: true
"""

RETURN = r"""
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: bad_input
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC: dict[str, object] = {}


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
