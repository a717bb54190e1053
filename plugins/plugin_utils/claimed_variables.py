# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables are this collection's own, so that no fact of a device may have their names.

Ansible makes a variable of every fact, and it outranks role defaults and the inventory.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ..module_utils._errors import NOTHING_DONE, VpnKeysError
from ..module_utils._printable import quoted

PREFIXES = (
    "__check_facts_",
    "__did_",
    "__gateway_keys_",
    "__key_server_rotate_",
    "__key_server_sync_",
    "awx_",
    "call_in_",
    "controller_",
    # gateway_keys_, and what the inventory says of a gateway: gateway_platform, gateway_id and so on.
    "gateway_",
    "key_directory_",
    "key_report_",
    # Of the roles, and key_server_addresses.
    "key_server_",
    "tower_",
)
CONNECTION_PREFIXES = ("host_key_", "libssh_", "netconf_", "paramiko_", "vpnops_keys_")
"""Of the connection to a key server: ansible_..., that Ansible itself lets facts set."""
CONNECTION_NAMES = frozenset(
    {"command_timeout", "connect_timeout", "enable_password", "private_key_passphrase", "ssh_host_key_checking"}
)
NAMES = frozenset(
    {
        "__administrator",
        "__before",
        "__checking",
        "__index",
        "__workflows",
        # What Ansible makes of words of -e that are no assignments.
        "_raw_params",
        "confirm",
        "gateway",
        # Ansible's own that facts outrank, or that templates take from a variable of that name.
        "group_names",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "lookup",
        "now",
        "omit",
        "query",
        "undef",
        # ansible_..., which is there only with --limit.
        "limit",
    }
)
SHOWN = 5
LONGEST = 60


def claimed(facts: Iterable[str]) -> list[str]:
    """Those of these names of facts that this collection reads as variables, with ``ansible_`` before them or not."""
    return sorted(name for name in map(str, facts) if _ours(name) or _ours(name.removeprefix("ansible_")))


def _ours(name: str) -> bool:
    return name in NAMES or name.startswith(PREFIXES) or _of_the_connection(name)


def _of_the_connection(name: str) -> bool:
    return name in CONNECTION_NAMES or name.startswith(CONNECTION_PREFIXES)


def listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(quoted(name, LONGEST) for name in names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def result(names: list[str]) -> dict[str, t.Any]:
    """What stands for any result of a host with such facts: a failure and a finding, whatever was registered."""
    about = refusal("", names)
    found = [f"Its facts hold {listed(names)}, which a device cannot set."]
    return {"failed": True, "changed": False, "code": about.code, "msg": str(about), "findings": found, "claimed": True}


def refuse(variables: Mapping[str, t.Any], connection: bool = True) -> None:
    """By the variables of the host that a task runs for. Raises VpnKeysError(refused).

    `connection`: False where nothing is asked but whether a fact may be an option of the task. What works on a fleet
    checks this itself: a play may ignore what the roles check first, or run a task for another host.
    """
    names = claimed(variables.get("ansible_facts") or ())
    counted = [name for name in names if connection or not _of_the_connection(name.removeprefix("ansible_"))]
    if counted:
        # Who claims another name is not called by it; Ansible says for which host the task failed.
        host = "" if "inventory_hostname" in names else str(variables.get("inventory_hostname", ""))
        raise refusal(host, names)


def refusal(host: str, names: list[str]) -> VpnKeysError:
    """Why a host with such facts is left out."""
    return VpnKeysError(
        "refused",
        f"its facts hold {listed(names)}. These are variables of vpnops.keys, which a device cannot set, so this host "
        "is excluded",
        host=host,
        state=NOTHING_DONE,
        advice="find out what runs on it, then clear its facts (ansible-playbook --flush-cache)",
    )
