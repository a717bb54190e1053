# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation says what the code does: options, results, examples, connection variables, error codes."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from unit import scripts

from ansible_collections.vpnops.keys.plugins.module_utils._errors import CODES
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn import Survey
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_config import Group
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_coop import Coop, CoopPeer
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_members import Member
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_policy import Kek, Policy, Tek
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import KeyRing, RsaKey
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.grouping import Claim
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import (
    CoopFact,
    Decision,
    Facts,
    KeyServer,
    Observation,
    RekeyFact,
    Rotation,
    State,
)
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import Policy as RotationPolicy
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import STEPS
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import results
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import OPTIONS, SSH_ARGUMENTS
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.ssh import LEGACY
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import rotations, survey
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.live_group import LiveGroup
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotate import Wanted

ROOT = Path(__file__).parents[2]
PLUGINS = "ansible_collections.vpnops.keys.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
GUIDE = (ROOT / "docs/docsite/rst/guide_connection.rst").read_text(encoding="utf-8")

Data = dict[str, Any]
each_module = pytest.mark.parametrize("name", MODULES)


@functools.cache
def documented() -> Data:
    """What ansible-doc says about every module, with the fragments merged in."""
    names = [f"vpnops.keys.{name}" for name in MODULES]
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "doc", "--type", "module", "--json", *names],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build")},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name: json.loads(done.stdout)[f"vpnops.keys.{name}"] for name in MODULES}


def module(name: str) -> Any:
    return importlib.import_module(f"{PLUGINS}.modules.{name}")


def action(name: str) -> Any:
    """None for a module that needs no action plugin."""
    if not (ROOT / f"plugins/action/{name}.py").exists():
        return None
    return importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule


def libraries(name: str) -> Sequence[str]:
    """Named by the action plugin if it does all the work, or else by the module."""
    found: Sequence[str] = getattr(module(name), "LIBRARIES", ()) or getattr(action(name), "LIBRARIES", ())
    return found


# -- options


def shape(options: Mapping[str, Any] | None, nested: str) -> Data:
    """Name, type, default, choices, elements, required, and the same of what is inside."""
    return {
        name: {
            "type": one.get("type", "str"),
            "default": one.get("default"),
            "choices": list(one.get("choices") or ()),
            "elements": one.get("elements"),
            "required": one.get("required", False),
            "inside": shape(one.get(nested), nested),
        }
        for name, one in (options or {}).items()
    }


@each_module
def test_documented_options_are_the_argument_spec(name: str) -> None:
    documented_options = shape(documented()[name]["doc"].get("options"), "suboptions")
    assert documented_options == shape(module(name).ARGUMENT_SPEC, "options")


@each_module
def test_attributes_and_requirements(name: str) -> None:
    doc = documented()[name]["doc"]
    assert {"check_mode", "diff_mode", "idempotent"} <= doc["attributes"].keys()
    # What a gateway needs is no Python library.
    needed = [line for line in doc.get("requirements", ()) if not line.endswith("on the gateway")]
    assert {line.split()[0] for line in needed} == set(libraries(name))


def test_required_versions() -> None:
    required = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    needed = {f"{library} >= {version}" for library, version in re.findall(r"^(\w+)>=([\d.]+)", required, re.MULTILINE)}
    lines = {line.partition(" (")[0] for one in documented().values() for line in one["doc"].get("requirements", ())}
    assert {line for line in lines if ">=" in line} <= needed


def test_action_group() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    members: dict[str, list[str]] = {}
    for name in MODULES:
        attribute = documented()[name]["doc"]["attributes"].get("action_group", {})
        for group in attribute.get("membership", ()):
            members.setdefault(group.removeprefix("vpnops.keys."), []).append(name)
    assert members == runtime["action_groups"]


# -- examples


def tasks(entries: list[Data]) -> Iterator[tuple[Data, Data]]:
    """Every task of some examples, with the options that module_defaults give it."""
    for entry in entries:
        if "block" not in entry:
            yield entry, {}
            continue
        groups = entry.get("module_defaults", {})
        defaults = {option: value for group in groups.values() for option, value in group.items()}
        for task, _none in tasks(entry["block"]):
            yield task, defaults


@each_module
def test_examples_can_run(name: str) -> None:
    examples = yaml.safe_load(documented()[name]["examples"])
    used = set()
    for task, defaults in tasks(examples):
        assert task["name"][0].isupper()
        (called,) = [key for key in task if "." in key]
        if not called.startswith("vpnops.keys."):
            assert called.startswith("ansible.builtin.")
            continue
        used.add(called)
        mine = module(called.rpartition(".")[2])
        options = {**defaults, **(task[called] or {})}
        for option, spec in mine.ARGUMENT_SPEC.items():
            if "{{" in str(options.get(option)) and "dict" in (spec.get("type"), spec.get("elements")):
                options[option] = {} if spec["type"] == "dict" else []  # only a run can fill it
        constraints = {
            constraint.lower(): getattr(mine, constraint)
            for constraint in ("MUTUALLY_EXCLUSIVE", "REQUIRED_BY", "REQUIRED_IF", "REQUIRED_ONE_OF")
            if hasattr(mine, constraint)
        }
        validator = ArgumentSpecValidator(mine.ARGUMENT_SPEC, **constraints)
        assert validator.validate(options).error_messages == [], task["name"]
        # No result has a passphrase, so no_log would only hide the diff; a result that has the key itself needs it.
        returns_a_key = bool(options.get("passphrase") and options.get("return_content"))
        assert returns_a_key == task.get("no_log", False), task["name"]
        assert not getattr(action(mine.__name__.rpartition(".")[2]), "BYPASS_HOST_LOOP", False) or task["run_once"]
    assert f"vpnops.keys.{name}" in used


# -- results


def agree(value: Any, documentation: Data, where: str) -> None:
    """What is returned has the fields that are documented, all the way down."""
    if "contains" not in documentation:
        return
    for one in value if isinstance(value, (list, tuple)) else [value]:
        assert set(one) == set(documentation["contains"]), where
        for field, inside in documentation["contains"].items():
            agree(one[field], inside, f"{where}.{field}")


KEY = RsaKey("K", "general", 2048, True, "private-config", True, False, "06:51:40 UTC Aug 30 2026", b"")
GROUP = Group("G", "gdoi", label="K", local_server=True)
SURVEY = Survey(
    KeyRing((KEY,)),
    (GROUP,),
    {"G": Coop(peers=(CoopPeer("192.0.2.12"),))},
    (Member("198.51.100.1", "G"),),
    (Policy("G", kek=Kek("0x1"), teks=(Tek("0x2"),)),),
)


@pytest.mark.parametrize(
    ("name", "field"), [("ios_rsa_key_info", "rsa_keys"), ("ios_rsa_key", "key"), ("ios_rsa_key_import", "key")]
)
def test_documented_key(name: str, field: str) -> None:
    agree([results.to_result(KEY)], documented()[name]["return"][field], field)


def test_documented_groups() -> None:
    agree(results.groups_to_result(SURVEY), documented()["getvpn_info"]["return"]["groups"], "groups")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("ios_rsa_key_compare", {}),
        ("ios_rsa_key_sync", {"done": {}, "left": [], "error": None, "interrupted": False}),
    ],
)
def test_documented_units(name: str, more: Data) -> None:
    options = {option: spec.get("default") for option, spec in module(name).ARGUMENT_SPEC.items()}
    plans = survey.plan_all({"ks1": SURVEY}, options, {"ks1": ["192.0.2.11"]})
    units = documented()[name]["return"]["units"]
    assert plans.planned
    agree([{**survey.to_result(one, {}), "steps": [], **more} for one in plans.planned], units, "units")
    claims = survey.claims_to_result([Claim("ks9", "EUROPE", ("ks1",), "ks9 names ks1.")], {})
    agree(claims, documented()[name]["return"]["claims"], "claims")

    steps = units["contains"]["steps"]["contains"]
    fields = [field for step in STEPS for field in dataclasses.fields(step)]
    assert set(steps) == {field.name for field in fields}
    assert set(steps["kind"]["choices"]) == {field.default for field in fields if field.name == "kind"}


def test_documented_rotations(tmp_path: Path) -> None:
    returned = documented()["ios_getvpn_rotation"]["return"]
    server = KeyServer("ks1", "15.7", "OLD", True, None, None, "Primary")
    live = LiveGroup("EUROPE", "1234", {"ks1": "EUROPE"})
    rotator = SimpleNamespace(
        record=Rotation("EUROPE", "OLD", "NEW"),
        observed=Observation(0, (server,), (), None),
        wanted=Wanted(RotationPolicy()),
        done=[],
    )
    decision = Decision("wait", rotator.record, Facts(), why="Somebody waits.")
    found = rotations.Found(live, rotator.record, cast(Any, rotator), "waiting", "Somebody waits.", decision)
    agree([rotations.to_result(found, {})], returned["groups"], "groups")
    facts = Facts((CoopFact(("15.7",), "hears", ("ks1",)),), (RekeyFact("15.7", "1.0.4", "in_band", ("ks1",)),))
    agree(dataclasses.asdict(facts), returned["releases"], "releases")
    states = set(returned["groups"]["contains"]["state"]["choices"])
    assert states == set(get_args(State))
    assert set(returned["groups"]["contains"]["outcome"]["choices"]) == set(get_args(rotations.Outcome))


# -- the guide


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that begins with this heading, without markup; without the head."""
    table = GUIDE.partition(f"   * - {heading}\n")[2].partition("\n\n")[0]
    plain = re.sub(r"``", "", table)
    cells = [row.split("\n     - ") for row in plain.split("\n   * - ")[1:]]
    return [[" ".join(cell.split()) for cell in row] for row in cells]


def test_guide_has_every_connection_variable() -> None:
    expected = [
        [one.about, ", ".join(one.variables) or "none", one.ssh_option or "none", one.fallback] for one in OPTIONS
    ]
    assert rows("What") == expected
    assert [name for name in SSH_ARGUMENTS if f"``{name}``" not in GUIDE] == []


def test_guide_has_every_legacy_algorithm() -> None:
    algorithms = {name for names in LEGACY.values() for name in names.removeprefix("+").split(",")}
    assert [name for name in sorted(algorithms) if f"``{name}``" not in GUIDE] == []


def test_guide_has_every_error_code() -> None:
    assert {code for code, _meaning in rows("Code")} == CODES | {"internal"}


def test_what_several_modules_return_alike_stands_in_one_place() -> None:
    """As scripts/returned writes it. Each source is used, and by more than one module."""
    returned = scripts.load("returned")
    texts = {path.stem: path.read_text("utf-8") for path in (ROOT / "plugins/modules").glob("*.py")}
    assert [name for name, text in texts.items() if returned.filled(text) != text] == []
    users = Counter(found[2] for text in texts.values() for found in returned.BLOCK.finditer(text))
    assert set(users) == {path.stem for path in (ROOT / "docs/returned").glob("*.yml")}
    assert min(users.values()) > 1
    changed = texts["ios_rsa_key_info"].replace("Label of the key.", "Another text.")
    assert changed != texts["ios_rsa_key_info"] == returned.filled(changed)
