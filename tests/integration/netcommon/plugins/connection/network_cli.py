# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for ansible.netcommon.network_cli: the inventories name it, and nothing may use it."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: network_cli
author: vpnops.keys authors (@vpnops)
short_description: A connection that nothing may use
description: For the tests of this collection.
options: {}
"""


class Connection(ConnectionBase):  # type: ignore[misc]
    transport = "network_cli"
    has_pipelining = False

    def _connect(self) -> NoReturn:
        raise AssertionError("the connection of Ansible was used")

    def exec_command(self, *arguments: Any, **more: Any) -> NoReturn:
        self._connect()

    def put_file(self, *arguments: Any, **more: Any) -> NoReturn:
        self._connect()

    def fetch_file(self, *arguments: Any, **more: Any) -> NoReturn:
        self._connect()

    def close(self) -> None:
        """There is nothing to close."""
