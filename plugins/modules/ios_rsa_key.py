#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = dict(
    label=dict(type="str", required=True, no_log=False),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    size=dict(type="int", default=2048),
    usage=dict(type="str", choices=["general", "signature", "encryption"], default="general"),
    exportable=dict(type="bool", default=False),
    regenerate=dict(type="str", choices=["never", "fail", "partial_idempotence", "always"], default="fail"),
    save=dict(type="bool", default=True),
    generation_timeout=dict(type="int", default=600),
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")


if __name__ == "__main__":
    main()
