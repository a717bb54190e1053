# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patterns as Ansible has them (`*`, `!`, `&`, `:`, `,`, `~`): for hosts of the inventory, and for GET VPN groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager, split_host_pattern
from ansible.parsing.dataloader import DataLoader

from ..module_utils._errors import NOTHING_DONE, VpnKeysError

SHOWN = 20
"""Of the names that there are, in one sentence."""


def hosts(groups: Mapping[str, Iterable[str]], pattern: str) -> list[str]:
    """The hosts that match, in the order of the inventory. `groups`: as the variable of that name; `pattern`: as
    --limit takes it, also with @FILE. Raises AnsibleError for a pattern that cannot be read."""
    manager = _manager(groups)
    manager.subset(pattern)
    return [host.name for host in manager.get_hosts("all")]


def resolved(groups: Mapping[str, Iterable[str]], patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """The hosts that these patterns choose together, and those of the patterns that match nobody. Raises AnsibleError
    for a pattern that cannot be read."""
    manager, parts = _manager(groups), split_host_pattern(list(patterns))
    idle = [one for one in parts if one[0] not in "!&" and not manager.get_hosts([one])]
    return [host.name for host in manager.get_hosts(parts)], idle


def chosen(names: Iterable[str], patterns: Iterable[str], option: str) -> list[str]:
    """Those of the names that these patterns choose together, in their order. Raises bad_input, and says what there is,
    for a pattern that chooses none. `option`: where the patterns come from, marked as in errors."""
    known, wanted = list(dict.fromkeys(names)), list(patterns)
    try:
        found, idle = resolved({"all": known}, wanted)
    except AnsibleError as error:
        raise VpnKeysError("bad_input", f"{option}: {error.message}", state=NOTHING_DONE) from None
    if idle or not found:
        raise VpnKeysError(
            "bad_input",
            f"{option} matches nothing: {', '.join(idle or wanted)}",
            state=NOTHING_DONE,
            advice=f"the key servers serve {_shown(known)}",
        )
    return [name for name in known if name in found]


def meant(things: Sequence[Collection[str]], patterns: Sequence[str], option: str) -> list[bool]:
    """Which things these patterns choose. Each has one name or several, as several devices call it: any of them will
    do, unless another is excluded. So who calls it otherwise neither hides it nor brings it in. Raises bad_input."""
    names = [name for one in things for name in sorted(one)]
    found = set(chosen(names, patterns, option))
    against = [part[1:] for part in split_host_pattern(list(patterns)) if part.startswith("!")]
    excluded = set(resolved({"all": names}, against)[0]) if against else set()
    choice = [bool(found.intersection(one)) and not excluded.intersection(one) for one in things]
    if not any(choice):
        what = f"{option} excludes every group that it names: {', '.join(patterns)}"
        raise VpnKeysError("bad_input", what, state=NOTHING_DONE, advice=f"the key servers serve {_shown(names)}")
    return choice


def _shown(names: Iterable[str]) -> str:
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more or "no GET VPN group"


def _manager(groups: Mapping[str, Iterable[str]]) -> InventoryManager:
    manager = InventoryManager(DataLoader(), parse=False)
    for group, names in groups.items():
        manager.add_group(group)
        for name in names:
            manager.add_host(name, group=group)
    return manager
