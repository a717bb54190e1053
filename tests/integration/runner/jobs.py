# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the job templates of awx/ as AWX does: by ansible-runner, each job with a private data directory, a home and a
copy of the project of its own. Nothing is left of them but what AWX keeps: events, and what set_stats published.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[3]
Data = dict[str, t.Any]
FINISHED_WITHIN = 600
RUN = """
import ansible_runner, sys
sys.exit(ansible_runner.run(private_data_dir=sys.argv[1], playbook=sys.argv[2], quiet=True).rc)
"""


class _Loader(yaml.SafeLoader):
    """Ansible's !unsafe is text here."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(t.cast(yaml.ScalarNode, node)))


@functools.cache
def shipped(what: str) -> Data:
    """A file of awx/."""
    found: Data = yaml.load((CHECKOUT / f"awx/{what}.yml").read_text(encoding="utf-8"), _Loader)
    return found


class _Unsafe(yaml.SafeDumper):
    """All text is !unsafe, as AWX writes it: nothing in it is a template."""

    def represent_data(self, data: t.Any) -> yaml.Node:
        if isinstance(data, str):
            return self.represent_scalar("!unsafe", data)
        return super().represent_data(data)


def handed_over(variables: Data, own: Data) -> str:
    """The variables of a job as AWX 24 writes them: only those that a template has itself (`own`) may be templates."""
    return "".join(
        yaml.dump({name: value}, None, yaml.SafeDumper if own.get(name) == value and name in own else _Unsafe)
        for name, value in variables.items()
    )


def template(name: str) -> Data:
    (found,) = (one for one in shipped("job_templates")["controller_templates"] if one["name"] == name)
    return t.cast(Data, found)


@dataclass(frozen=True)
class Credential:
    """What a credential of AWX brings into a job: answers to prompts, a key for the agent, environment, variables."""

    passwords: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    ssh_key: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    extra_vars: Mapping[str, str] = field(default_factory=dict)


def machine(password: str = "", become_password: str = "", ssh_key: str = "") -> Credential:
    """A machine credential: AWX answers the prompts of --ask-pass and --ask-become-pass."""
    asked = {
        "--ask-pass": (r"SSH password:\s*?$", password),
        "--ask-become-pass": (r"BECOME password.*:\s*?$", become_password),
    }
    given = {argument: answer for argument, answer in asked.items() if answer[1]}
    return Credential(dict(given.values()), tuple(given), ssh_key)


def custom(kind: str, path: Path, **values: str) -> Credential:
    """A credential of a type of awx/, injected as its injectors say; `path`: where its files lie during the job."""
    (known,) = (one for one in shipped("credential_types")["controller_credential_types"] if one["name"] == kind)
    assert set(values) == {one["id"] for one in known["inputs"]["fields"]} == set(known["inputs"]["required"])

    def filled(text: str) -> str:
        return re.sub(r"{{ (\S+) }}", lambda found: known_values[found[1]], text)

    known_values = dict(values)
    for name, text in known["injectors"].get("file", {}).items():
        short = name.removeprefix("template.")
        file = path / short
        file.touch(0o600)
        file.write_text(filled(text))
        known_values[f"tower.filename.{short}"] = str(file)
    env, extra_vars = ({name: filled(text) for name, text in known["injectors"].get(kind_, {}).items()}
                       for kind_ in ("env", "extra_vars"))  # fmt: skip
    return Credential(env=env, extra_vars=extra_vars)


@dataclass(frozen=True)
class Job:
    """What AWX keeps of a job."""

    code: int
    events: list[Data] = field(repr=False)
    files: dict[str, bytes] = field(repr=False)
    """All that ansible-runner wrote about it, the events among them, by name."""

    @property
    def artifacts(self) -> Data:
        """What set_stats published for the next node of a workflow."""
        return next((one["event_data"]["artifact_data"] for one in reversed(self.events)
                     if "artifact_data" in one.get("event_data", {})), {})  # fmt: skip

    @property
    def output(self) -> str:
        return " ".join("\n".join(one["stdout"] for one in self.events).split())

    @property
    def changed(self) -> int:
        (stats,) = (one["event_data"] for one in self.events if one["event"] == "playbook_on_stats")
        return sum(stats["changed"].values())


@dataclass
class Controller:
    """Launches job templates on an inventory."""

    path: Path
    inventory: Data
    credentials: list[Credential]
    env: Mapping[str, str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list, init=False)
    _numbers: t.Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)

    def launch(
        self,
        name: str,
        answers: Mapping[str, str | int] | None = None,
        artifacts: Mapping[str, t.Any] | None = None,
        inventory: Data | None = None,
        told: Mapping[str, str] | None = None,
    ) -> Job:
        """`answers`: of the survey, text and whole numbers. `artifacts`: of the nodes before. `told`: more of the
        variables that AWX sets, without their prefix."""
        described = template(name)
        own = described.get("extra_vars", {})
        given = {**own, **(answers or {}), **(artifacts or {})}
        told = {"job_template_name": name, **(told or {})}
        return self.run(described["playbook"].rpartition("/")[2], given, inventory, told, own)

    def run(
        self,
        playbook: str,
        given: Mapping[str, t.Any],
        inventory: Data | None = None,
        told: Mapping[str, str] | None = None,
        own: Data | None = None,
    ) -> Job:
        """Run a playbook of the project with the variables `given`, of which those in `own` are the template's."""
        number = next(self._numbers)
        meta = {"job_id": number, "user_name": "alice", "job_launch_type": "manual", **(told or {})}
        place = self.path / f"job{number}"
        extra_vars = {
            **given,
            **{f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in meta.items()},
        }
        for credential in self.credentials:
            extra_vars.update(credential.extra_vars)
        self._prepare(place, handed_over(extra_vars, own or {}), inventory or self.inventory)
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(place), f"playbooks/{playbook}"],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(place / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=FINISHED_WITHIN,
            check=False,
        )
        made = place / "artifacts"
        files = {str(file.relative_to(made)): file.read_bytes() for file in made.rglob("*") if file.is_file()}
        files |= {"stdout of the runner": done.stdout, "stderr of the runner": done.stderr}
        events = [json.loads(content) for name, content in files.items() if "job_events" in name]
        job = Job(done.returncode, sorted(events, key=lambda one: one["counter"]), files)
        assert job.events, done.stderr.decode()
        self.jobs.append(job)
        shutil.rmtree(place)
        return job

    def _prepare(self, place: Path, extra_vars: str, inventory: Data) -> None:
        for part in ("env", "inventory", "home"):
            (place / part).mkdir(parents=True)
        for part in ("playbooks", "awx"):
            shutil.copytree(CHECKOUT / part, place / "project" / part)
        (place / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
        passwords: Data = {}
        arguments: list[str] = []
        env: Data = {
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build"),
            "ANSIBLE_HOST_KEY_CHECKING": "false",
            "ANSIBLE_FORKS": "5",
            **self.env,
        }
        for credential in self.credentials:
            passwords |= credential.passwords
            arguments += credential.arguments
            env |= credential.env
            if credential.ssh_key:
                (place / "env/ssh_key").write_text(credential.ssh_key)
        (place / "env/extravars").write_text(extra_vars)
        (place / "env/envvars").write_text(json.dumps(env))
        (place / "env/passwords").write_text(json.dumps(passwords))
        (place / "env/cmdline").write_text(" ".join(["--forks=5", *arguments]))
        (place / "env/settings").write_text(
            json.dumps({"idle_timeout": FINISHED_WITHIN, "suppress_ansible_output": True})
        )

    def kept(self) -> dict[str, bytes]:
        """All that AWX keeps of all jobs, to be searched."""
        return {f"job {number}: {name}": content for number, job in enumerate(self.jobs, 1)
                for name, content in job.files.items()}  # fmt: skip


def part(inventory: Data, group: str, names: Iterable[str]) -> Data:
    """The inventory of a job slice."""
    whole = inventory[group]
    return {**inventory, group: {**whole, "hosts": {name: whole["hosts"][name] for name in names}}}
