# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: controller_refusals
short_description: What a token may not do in AWX or Automation Controller
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Asks the API which of the changes that C(vpnops.keys.configure_awx) would make it would refuse, because the user of
    the token lacks a role, or the token the scope I(Write). Nothing is changed.
  - The API shows it by the actions of OPTIONS, by C(user_capabilities) and by the filter C(role_level).
  - >-
    Where the API is, and the token for it, comes from the same environment variables as for the modules of
    C(awx.awx): E(CONTROLLER_HOST), E(CONTROLLER_OAUTH_TOKEN).
options:
  _terms:
    description:
      - One dictionary with the lists of what would be made or changed.
      - >-
        The names C(credential_types), C(workflows) and C(started) (job templates that nodes start), and the items
        C(job_templates), C(schedules) and C(granted) as the modules C(job_template), C(schedule) and C(role) take them.
    type: list
    elements: dict
    required: true
  collection:
    description: V(awx.awx), V(ansible.controller), or another collection with their modules.
    type: str
    default: awx.awx
  organization:
    description: Name of the organization of all of it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the token may not do
  ansible.builtin.debug:
    msg: The token may not {{ item.act }}; this needs {{ item.needs }}.
  loop: "{{ query('vpnops.keys.controller_refusals', {'workflows': ['Ours']}, organization='Default') }}"
"""

RETURN = r"""
_list:
  description: What the API would refuse, each once.
  type: list
  elements: dict
  contains:
    act:
      description: What the token may not do.
      type: str
      sample: use the inventory VPN gateways
    needs:
      description: What it needs for that.
      type: str
      sample: the role Use of it
"""

import typing as t
from importlib import import_module

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

from ..plugin_utils import awx_rights


class LookupModule(LookupBase):  # type: ignore[misc]
    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, str]]:
        self.set_options(var_options=variables, direct=kwargs)
        api = _Api(_connected(self.get_option("collection")))
        organization = self.get_option("organization")
        return [one._asdict() for term in terms for one in awx_rights.refused(api, organization, awx_rights.read(term))]


def _failed(**said: t.Any) -> t.NoReturn:
    raise AnsibleError(str(said.get("msg")))


def _connected(collection: str) -> t.Any:
    """The API as the modules of the collection ask it: address, token and certificates by its own lookup's options."""
    theirs = import_module(f"ansible_collections.{collection}.plugins.module_utils.controller_api").ControllerAPIModule
    lookup = lookup_loader.get(f"{collection}.controller_api")
    lookup.set_options(direct={})
    options = {name: lookup.get_option(option) for option, name in theirs.short_params.items()}
    given = {name: value for name, value in options.items() if value is not None}
    return theirs(argument_spec={}, direct_params=given, error_callback=_failed, warn_callback=_ignored)


def _ignored(dummy: str) -> None:
    """The modules say it again."""


class _Api:
    def __init__(self, connected: t.Any) -> None:
        self._connected = connected

    def methods(self, path: str) -> t.Collection[str]:
        actions: dict[str, t.Any] = _json(self._connected.make_request("OPTIONS", path)).get("actions", {})
        return actions

    def found(self, kind: str, **query: str) -> list[awx_rights.Data]:
        results: list[awx_rights.Data] = _json(self._connected.get_endpoint(kind, data=query))["results"]
        return results


def _json(answer: dict[str, t.Any]) -> dict[str, t.Any]:
    if answer["status_code"] != 200:
        raise AnsibleError(f"The API of AWX answered with HTTP {answer['status_code']}: {answer.get('json', '')}")
    found: dict[str, t.Any] = answer["json"]
    return found
