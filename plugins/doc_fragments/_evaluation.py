# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that evaluate the directory and the answers of gateways. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  directory:
    description: Result of M(vpnops.keys.key_directory) or M(vpnops.keys.key_directory_info).
    type: dict
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

    # What gateways answered.
    OBSERVATIONS = r"""
options:
  observations:
    description:
      - >-
        Results of M(vpnops.keys.gateway_info), by host, as P(vpnops.keys.by_host#filter) collects them. An
        unreachable host has the failed result.
      - A host of the inventory that was not in the play has an empty one.
      - >-
        The answer of a gateway is used for this gateway only. If it cannot be trusted, the gateway counts as one
        that refuses.
    type: dict
"""

    # The result as a table.
    TABLE = r"""
options: {}
requirements:
  - rich (on the control node)
notes:
  - >-
    The table is printed, unless the output is machine-readable (a stdout callback with C(json) in its name). Unless
    the module fails, it is also in RV(lines).
"""
