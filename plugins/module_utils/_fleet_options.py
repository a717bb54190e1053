# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that ios_rsa_key_compare and ios_rsa_key_sync share; documented in the fragment _fleet."""

from __future__ import annotations

FLEET_SPEC = dict(
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
    only_groups=dict(type="list", elements="str"),
    allowed_hosts=dict(type="list", elements="str"),
    allow_partial_inventory=dict(type="bool", default=True),
    primary=dict(type="list", elements="str", default=[]),
    overwrite=dict(type="bool", default=False),
    size=dict(type="int", default=2048),
    minimum_size=dict(type="int", default=2048),
    allow_weak_source=dict(type="bool", default=False),
    exportable=dict(type="bool", default=True),
    compromised=dict(type="list", elements="str", default=[]),
    allow_absent_compromised=dict(type="bool", default=False),
    save=dict(type="bool", default=True),
    parallel=dict(type="int", default=64),
    timeout=dict(type="int", default=120),
)
FLEET_MUTUALLY_EXCLUSIVE = [("label", "groups")]
