# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for ansible.netcommon.enable, which inventories name; Ansible itself makes nothing of it."""

from __future__ import annotations

from ansible.plugins.become import BecomeBase

DOCUMENTATION = """
name: enable
author: vpnops.keys authors (@vpnops)
short_description: Privileged mode
description: For the tests of this collection.
options:
  become_pass:
    description: Enable password.
    vars: [{name: ansible_become_password}, {name: ansible_become_pass}]
"""


class BecomeModule(BecomeBase):  # type: ignore[misc]
    name = "ansible.netcommon.enable"

    def build_become_command(self, cmd: str, shell: object) -> str:
        return cmd
