#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = dict(
    hosts=dict(type="list", elements="str"),
    label=dict(type="str", no_log=False),
    groups=dict(
        type="list",
        elements="dict",
        options=dict(
            name=dict(type="str", required=True),
            label=dict(type="str", required=True, no_log=False),
            hosts=dict(type="list", elements="str", required=True),
        ),
    ),
    overwrite=dict(type="bool", default=False),
    size=dict(type="int", default=2048),
    minimum_size=dict(type="int", default=2048),
    allow_weak_source=dict(type="bool", default=False),
    exportable=dict(type="bool", default=True),
    save=dict(type="bool", default=True),
    parallel=dict(type="int", default=64),
    timeout=dict(type="int", default=120),
    render=dict(type="bool", default=False),
)

MUTUALLY_EXCLUSIVE = [("label", "groups")]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, mutually_exclusive=MUTUALLY_EXCLUSIVE)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")


if __name__ == "__main__":
    main()
