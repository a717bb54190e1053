# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No fact of a device is a variable of ours: the table has every variable that is read and that a fact could set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import pytest
import yaml
from ansible.vars.clean import clean_facts
from unit.fleet.samples import mesh

from ansible_collections.vpnops.keys.plugins.action.key_directory import USERS
from ansible_collections.vpnops.keys.plugins.filter.by_host import by_host
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import FORGED
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status
from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.claimed_variables import LONGEST, claimed, refusal
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import OPTIONS, SSH_ARGUMENTS
from lab.tampering_catalogue import steered

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path
    for place in (
        "roles/*/tasks",
        "roles/*/vars",
        "roles/*/defaults",
        "roles/*/handlers",
        "playbooks",
        "extensions/eda",
    )
    for path in ROOT.glob(f"{place}/**/*")
    if path.suffix in (".yml", ".yaml", ".j2")
)
EXPRESSIONS = ("changed_when", "failed_when", "that", "until", "when")
"""Keys whose values are expressions without braces."""
OWN_LANGUAGE = ("condition",)
"""Of a rulebook: what is not Ansible's."""
MAGIC = frozenset(
    """ansible_check_mode ansible_play_batch ansible_play_hosts ansible_play_hosts_all groups hostvars item play_hosts
    playbook_dir role_path""".split()
)
"""What Ansible sets itself, always, and above facts, as `integration/test_check_facts.py` sees with the real one."""
HARMLESS = frozenset({"ansible_facts"})


class Loader(yaml.SafeLoader):
    """Text that is marked as no template is none."""


Loader.add_constructor("!unsafe", lambda loader, node: None)


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader)


def strings(data: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string with the key that it belongs to."""
    if isinstance(data, str):
        yield key, data
    elif isinstance(data, list):
        for one in data:
            yield from strings(one, key)
    elif isinstance(data, Mapping):
        for name, one in data.items():
            yield key, str(name)
            yield from strings(one, str(name))


class Whatever(dict[str, Any]):
    """Filters and tests of any name: here nothing is run."""

    def get(self, key: str, default: Any = None) -> Any:
        return str

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> Any:
        return str


def read_by(text: str) -> set[str]:
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.filters, environment.tests = Whatever(), Whatever()
    return jinja2.meta.find_undeclared_variables(environment.parse(text)) - environment.globals.keys()


def variables_read(data: Any) -> set[str]:
    found: set[str] = set()
    for key, text in strings(data):
        if key in OWN_LANGUAGE:
            continue
        found |= read_by("{{ " + text + " }}" if key in EXPRESSIONS and "{{" not in text else text)
    return found


def variables_set(data: Any) -> set[str]:
    """By `vars` of a play, a block or a task, which outrank facts."""
    if isinstance(data, list):
        return {name for one in data for name in variables_set(one)}
    if not isinstance(data, Mapping):
        return set()
    here = set(data["vars"]) if isinstance(data.get("vars"), Mapping) else set()
    return here | {name for one in data.values() for name in variables_set(one)}


def of_files(data: Any, path: Path) -> set[str]:
    """By the files of variables of a play, which outrank facts, too."""
    named = [name for play in data if isinstance(play, Mapping) for name in play.get("vars_files", ())]
    return {key for name in named for key in load(path.parent / name)}


def set_above_facts(path: Path, data: Any) -> set[str]:
    if path.parts[-2:] == ("vars", "main.yml"):
        return set(data)
    if path.parts[-3:-1] == ("playbooks", "tasks"):
        # It is included by a play, whose variables it has.
        plays = [one for one in path.parents[1].glob("*.yml") if f"tasks/{path.name}" in one.read_text()]
        return variables_set(data) | {name for one in plays for name in set_above_facts(one, load(one))}
    role_vars = path.parents[1] / "vars/main.yml"
    of_role = set(load(role_vars)) if "roles" in path.parts and role_vars.exists() else set()
    return variables_set(data) | of_role | (of_files(data, path) if isinstance(data, list) else set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_is_read_is_claimed(path: Path) -> None:
    """Or set above facts, or Ansible's own. A registered variable does not count: its task may have been skipped."""
    data = path.read_text() if path.suffix == ".j2" else load(path)
    open_ones = variables_read(data) - set_above_facts(path, data) - MAGIC - HARMLESS
    assert sorted(open_ones) == claimed(open_ones)


def test_that_looks_at_the_files() -> None:
    """The scan finds what is known to be read, in braces, in conditions and in loops."""
    found = {
        name for path in FILES if path.suffix == ".yml" for name in variables_read(load(path))
    }
    assert {"gateway_keys_directory_host", "key_directory_url", "confirm", "awx_job_id", "key_report_written"} <= found
    assert variables_read([{"when": ["a is defined", "not b"], "x": "{{ c if d else e.f }}", "{{ g }}": 1}]) == set(
        "abcdeg"
    )


def registered(data: Any) -> set[str]:
    """By `register` and `set_fact`: other hosts and later tasks read them by name, as of hosts that have none."""
    if isinstance(data, list):
        return {name for one in data for name in registered(one)}
    if not isinstance(data, Mapping):
        return set()
    facts: Any = next((data[name] for name in data if str(name).endswith("set_fact")), {})
    here = {data["register"]} if isinstance(data.get("register"), str) else set()
    return here | set(facts) - {"cacheable"} | {name for one in data.values() for name in registered(one)}


def test_what_is_registered() -> None:
    names = {name for path in FILES if path.suffix == ".yml" for name in registered(load(path))}
    assert {"__gateway_keys_entry", "key_report_observed"} <= names
    assert claimed(names) == sorted(names)


def test_defaults_of_roles() -> None:
    for path in ROOT.glob("roles/*/defaults/main.yml"):
        names = set(load(path))
        assert claimed(names) == sorted(names)


def test_options_of_roles() -> None:
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        specs = load(path)["argument_specs"]
        names = {name for entry in specs.values() for name in entry.get("options", ())}
        assert claimed(names) == sorted(names)


def test_what_plugins_read() -> None:
    """Who started the job, and how a key server is reached: what Ansible itself lets no fact set need not be here."""
    connection = {name for option in OPTIONS for name in option.variables} | set(SSH_ARGUMENTS)
    facts = clean_facts(dict.fromkeys(connection, "x"))
    assert claimed(facts) == sorted(facts)
    assert claimed(USERS) == sorted(USERS)


def test_attacks() -> None:
    """What an attacker of the lab tries is refused, with the prefix and without."""
    names = {name for values in steered("gw3", "gw1", "x").values() for name in values}
    names -= {"group"}  # the playbooks' own
    assert claimed(names) == sorted(names)
    assert claimed(f"ansible_{name}" for name in names) == sorted(f"ansible_{name}" for name in names)


ORDINARY = """all_ipv4_addresses apparmor architecture bios_date cmdline date_time default_ipv4 devices distribution
discovered_interpreter_python dns domain effective_user_id env eth0 fips form_factor fqdn hostname interfaces kernel
local lsb machine memtotal_mb mounts nodename os_family pkg_mgr processor python selinux service_mgr
ssh_host_key_ed25519_public system user_id virtualization_role wg0 net_hostname network_resources""".split()


def test_ordinary_facts() -> None:
    assert claimed([*ORDINARY, *(f"ansible_{name}" for name in ORDINARY), "gather_subset", "module_setup"]) == []


def test_what_is_said() -> None:
    error = refusal("gw3", ["gateway_keys_mode"])
    assert str(error) == (
        'gw3: its facts hold "gateway_keys_mode". These are variables of vpnops.keys, which a device cannot set, so '
        "this host is excluded. Nothing was done; find out what runs on it, then clear its facts "
        "(ansible-playbook --flush-cache)."
    )
    assert error.code == "refused"


def test_names_of_facts_are_the_attackers_too() -> None:
    names = claimed([f"gateway_{number}\x1b[2J{'x' * 1000}" for number in range(100)])
    text = str(refusal("gw3", names))
    assert text.isprintable()
    assert "\\x1b" in text
    assert "and 95 more" in text
    assert len(text) < 5 * (LONGEST + 40) + 400


OBSERVED = {"changed": False, "failed": True, "msg": "It refused.", "code": "refused", "findings": []}


@pytest.mark.parametrize(
    "facts",
    [
        {"gateway_keys_mode": "emergency"},
        {"ansible_key_report_title": "x", "distribution": "Debian"},
        {"observed": OBSERVED},
        {"gateway_\x1b[2J" + "x" * 1000: 1},
        {f"gateway_{number}": number for number in range(1000)},
    ],
)
@pytest.mark.parametrize("registered", [{"observed": OBSERVED}, {}])
def test_a_host_whose_facts_claim_our_variables_is_named_as_tampered(
    facts: dict[str, Any], registered: dict[str, Any]
) -> None:
    """By everybody who reads results by host, whether a task of ours got so far or not; and nothing of it is read."""
    hostvars = {
        "gw1": {"ansible_facts": facts, **facts, **registered},
        "gw2": {"ansible_facts": {"distribution": "Debian"}, "observed": OBSERVED},
        "gw3": {"ansible_facts": {}},
    }
    results = by_host(["gw1", "gw2", "gw3", "gw4"], hostvars, "observed")
    assert [results[name] for name in ("gw2", "gw3", "gw4")] == [OBSERVED, {}, {}]
    observations = device_answer.observations(results)
    assert {name: one.state for name, one in observations.items()} == {
        "gw1": "refused", "gw2": "refused", "gw3": "absent", "gw4": "absent",
    }  # fmt: skip
    found = [one for one in status(Directory.from_result(mesh(4)[0]), observations).findings if one.kind == FORGED]
    assert [one.host for one in found] == ["gw1"]
    assert found[0].what.startswith("Its facts hold ")
    assert found[0].what.isprintable()
    assert len(found[0].what) < 500
    assert not device_answer.own_keys(results)
    assert device_answer.acknowledgements(results) == ([], [])


def test_the_addresses_of_a_key_server_are_no_fact() -> None:
    assert claimed(["key_server_addresses"]) == ["key_server_addresses"]
