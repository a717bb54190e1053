# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes of the modules. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    # Every module. It says itself how far check_mode, diff_mode and idempotent go.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: >-
      Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff
      mode.
  idempotent:
    description:
      - >-
        When run twice in a row outside check mode, with the same arguments, the second invocation indicates
        no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
  action:
    description: >-
      Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
    support: full
    details: The whole module runs on the control node.
  async:
    description: Supports being used with the C(async) keyword.
    support: none
"""

    # Modules that only look. Used together with the first one.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: The module only reads, so check mode has no effect.
  diff_mode:
    support: N/A
    details: The module does not change anything.
  idempotent:
    support: full
    details: The module does not change anything.
"""

    # Modules that talk to devices.
    IOS = r"""
options: {}
attributes:
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: ios
    details: Cisco IOS 15 and IOS XE.
  connection:
    description: Uses the target's configured connection information to execute code on it.
    support: partial
    details: >-
      The module reads the connection variables, but opens an SSH session of its own from the control node. No
      connection plugin is started.
  delegation:
    description: Can be used in conjunction with delegate_to and related keywords.
    support: none
    details: The module works on the hosts of the inventory. Delegating it to another host is not supported.
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/vpnops.keys.ios) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - vpnops.keys.ios
"""

    # Modules that work once for the whole fleet.
    FLEET = r"""
options: {}
attributes:
  bypass_host_loop:
    description: Forces a 'global' task that does not execute per host.
    support: full
    details: >-
      Runs once, whatever the number of hosts in the play. C(run_once) says so to the reader, and gives the
      registered result to every host.
"""

    # Modules that run on a gateway.
    GATEWAY = r"""
options: {}
attributes:
  action:
    support: partial
    details: >-
      The module runs on the gateway. The control node checks its answer before Ansible processes it. The gateway
      cannot set variables, warnings or statistics.
  delegation:
    description: Can be used in conjunction with delegate_to and related keywords.
    support: none
    details: The module works on the gateway itself. Delegating it to another host is refused.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details: Linux with WireGuard or strongSwan.
  action_group:
    description: Use C(group/vpnops.keys.gateway) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - vpnops.keys.gateway
"""

    # Modules that work on the directory.
    DIRECTORY = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/vpnops.keys.directory) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - vpnops.keys.directory
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""
