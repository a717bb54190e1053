# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that the roles and playbooks read, and those that only look like it: misspelled, or cut at a blank.

Ansible ignores a variable that nobody reads, whatever was meant by it.
"""

from __future__ import annotations

import difflib
import functools
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

from ..module_utils._errors import NOTHING_DONE, VpnKeysError
from ..module_utils._printable import printable
from .claimed_variables import LONGEST, SHOWN

Variables = Mapping[str, t.Any]
ROLES = Path(__file__).parents[2] / "roles"
CUT = "_raw_params"
"""What Ansible makes of words of -e that are no assignments. Never shown: it may be half of a passphrase."""
OF_PLAYBOOKS = frozenset(
    {
        "key_directory_url",
        "key_report_at",
        "key_report_csv_path",
        "key_report_events_limit",
        "key_report_fail_on",
        "key_report_json_path",
        "key_report_minimum_size",
        "key_report_mode",
        "key_report_path",
        "key_report_periods",
        "key_report_refresh",
        "key_report_return_content",
        "key_report_title",
        "key_report_verify_key",
        "vpnops_keys_ssh_legacy",
        # Set by a role itself, registered, or published, perhaps by an earlier job of a workflow.
        "gateway_keys_plan_digest",
        "key_report_compared",
        "key_report_directory",
        "key_report_html",
        "key_report_observed",
        "key_report_written",
        "key_server_rotate_plan_digests",
        "key_server_sync_plan_digests",
    }
)
"""What no role has an argument for."""


@dataclass(frozen=True)
class Reader:
    """Who reads variables with these beginnings; `example`: of a value with a blank, as JSON."""

    prefixes: tuple[str, ...]
    example: str


COLLECTION = "vpnops_keys_"
"""Variables of the connection begin with it."""
OF_ROLE = {
    "gateway_keys": Reader(("gateway_keys_", "key_directory_"), '{"gateway_keys_why": "laptop stolen"}'),
    "key_server_rotate": Reader(("key_server_rotate_",), '{"key_server_rotate_only_groups": ["EUROPE", "ASIA"]}'),
    "key_server_sync": Reader(("key_server_sync_",), '{"key_server_sync_backup_directory": "/srv/old keys"}'),
}
ANY = Reader(
    ("gateway_keys_", "key_directory_", "key_report_", "key_server_rotate_", "key_server_sync_"),
    '{"key_report_title": "Keys in May"}',
)
"""A playbook, which may read all of them."""


@functools.cache
def known() -> frozenset[str]:
    """Every variable of the roles and playbooks."""
    specs = [yaml_load(path.read_text(encoding="utf-8")) for path in ROLES.glob("*/meta/argument_specs.yml")]
    entries = [entry for spec in specs for entry in spec["argument_specs"].values()]
    return OF_PLAYBOOKS.union(*(entry["options"] for entry in entries))


def check(here: Variables, by_host: Mapping[str, Variables], role: str | None) -> None:
    """`here`: all variables of a task; `by_host`: those of the hosts of its play; `role`: of the task.

    Raises bad_input. What stands among the facts of a host is not looked at: a device must not be able to stop the play
    for the others.
    """
    reader = OF_ROLE.get(role or "", ANY)
    if CUT in here:
        raise VpnKeysError(
            "bad_input",
            "A value given with -e was cut at a space",
            state=NOTHING_DONE,
            advice=f"write values with spaces as JSON: -e '{reader.example}'",
        )
    unknown = dict.fromkeys(_unknown(here, reader), "")
    for host, variables in by_host.items():
        for name in _unknown(variables, reader):
            unknown.setdefault(name, f" (of {host})")
    if unknown:
        raise _misspelled(unknown)


def _unknown(variables: Variables, reader: Reader) -> list[str]:
    ours = (*reader.prefixes, COLLECTION)
    names = [name for name in variables if name.startswith(ours) and name not in known()]
    facts = (variables.get("ansible_facts") or ()) if names else ()
    return sorted(name for name in names if name not in facts)


def _misspelled(unknown: Mapping[str, str]) -> VpnKeysError:
    first = list(unknown)[:SHOWN]
    shown = [printable(name, LONGEST) + unknown[name] for name in first]
    more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
    near = list(dict.fromkeys(_nearest(first)))
    advice = f"did you mean {', '.join(near)}?" if near else "the documentation of the roles has all of them"
    return VpnKeysError(
        "bad_input", f"vpnops.keys has no variable {', '.join(shown)}{more}", state=NOTHING_DONE, advice=advice
    )


def _nearest(names: Iterable[str]) -> Iterable[str]:
    return (near for name in names for near in difflib.get_close_matches(name, sorted(known()), 1))
