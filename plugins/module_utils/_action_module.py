# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of a module whose action plugin does the work. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule


def fail_without_action(argument_spec: dict[str, t.Any], **more: t.Any) -> None:
    """Only Ansible without the action plugin comes here, and the sanity tests, which read the options."""
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, **more)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")
