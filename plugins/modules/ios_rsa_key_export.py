#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = dict(
    label=dict(type="str", required=True, no_log=False),
    passphrase=dict(type="str", no_log=True),
    path=dict(type="path"),
    format=dict(type="str", choices=["pkcs8", "ios"], default="pkcs8"),
    return_content=dict(type="bool", default=False),
)

REQUIRED_BY = dict(path=["passphrase"])
REQUIRED_IF = [("return_content", True, ["passphrase"])]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, required_by=REQUIRED_BY, required_if=REQUIRED_IF)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")


if __name__ == "__main__":
    main()
