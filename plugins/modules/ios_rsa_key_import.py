#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = dict(
    label=dict(type="str", required=True, no_log=False),
    from_host=dict(type="str"),
    from_label=dict(type="str", no_log=False),
    content=dict(type="str", no_log=True),
    path=dict(type="path"),
    passphrase=dict(type="str", no_log=True),
    exportable=dict(type="bool", default=False),
    overwrite=dict(type="bool", default=False),
    minimum_size=dict(type="int", default=2048),
    backup_path=dict(type="path"),
    backup_passphrase=dict(type="str", no_log=True),
    save=dict(type="bool", default=True),
)

MUTUALLY_EXCLUSIVE = [("from_host", "content", "path")]
REQUIRED_ONE_OF = [("from_host", "content", "path")]
REQUIRED_BY = dict(from_label=["from_host"], backup_path=["backup_passphrase"])


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True,
        mutually_exclusive=MUTUALLY_EXCLUSIVE, required_one_of=REQUIRED_ONE_OF, required_by=REQUIRED_BY)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")


if __name__ == "__main__":
    main()
