# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that applies awx/ with the modules of awx.awx, against the stand-in of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.control_node import ControlNode, Data, Run
from integration.runner.jobs import Controller, Credential
from integration.test_secrets import assert_clean

from lab.awx import TOKEN, Awx

CONFIGURE = "vpnops.keys.configure_awx"
HOST_CONFIG_KEY = "whoever-knows-this-starts-jobs"
WITHOUT_WORKFLOWS = ("-e", '{"controller_workflows": []}')
"""Half of the work: every object costs a process."""


@pytest.fixture
def awx() -> Iterator[Awx]:
    """An AWX with what an administrator has made there: organization, project, inventories, a credential."""
    with Awx() as made:
        organization = made.add("organizations", name="Default")["id"]
        for kind, name in (
            ("projects", "vpnops.keys"),
            ("inventories", "VPN gateways"),
            ("inventories", "GET VPN key servers"),
            ("credentials", "administrator of the gateways"),
        ):
            made.add(kind, name=name, organization=organization)
        yield made


class Administrator:
    """Who runs the playbook."""

    def __init__(self, awx: Awx, path: Path) -> None:
        environment = {"CONTROLLER_HOST": awx.url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "ANSIBLE_PIPELINING": "true"}
        self.awx = awx
        self.node = ControlNode(path, {"all": {"hosts": {}}}, environment)

    def run(self, *arguments: str) -> Run:
        credentials = json.dumps({"controller_gateway_credentials": ["administrator of the gateways"]})
        return self.node.run(CONFIGURE, "-e", credentials, *arguments)

    def counted(self, *arguments: str) -> int:
        """How many tasks changed something, of a run that succeeds."""
        done = self.run(*arguments)
        assert done.code == 0, done.output
        (count,) = re.findall(r"changed=(\d+)", done.output)
        return int(count)


def linked(awx: Awx, workflow: str) -> dict[str, list[str]]:
    """The nodes of a workflow, each with those that follow its success."""
    number = awx.named("workflow_job_templates", workflow)["id"]
    kind = "workflow_job_template_nodes"
    nodes = {key: one for key, one in awx.objects[kind].items() if one["workflow_job_template"] == number}
    return {
        one["identifier"]: [
            nodes[after]["identifier"] for after in awx.associated.get((kind, key, "success_nodes"), [])
        ]
        for key, one in nodes.items()
    }


def extra_vars(awx: Awx, template: str) -> Data:
    found: Data = json.loads(awx.named("job_templates", template)["extra_vars"])
    return found


def test_applied_and_kept(awx: Awx, tmp_path: Path) -> None:
    administrator = Administrator(awx, tmp_path)
    empty = awx.state()
    assert administrator.counted("--check") > 0
    assert awx.state() == empty
    assert not awx.written

    assert administrator.counted() > 0
    assert awx.names("credential_types") == {"VPN key directory", "VPN key backup"}
    chain = {"plan": ["approve"], "approve": ["apply"], "apply": ["verify"], "verify": []}
    for workflow in ("Gateways: new key with approval", "Key servers: synchronize with approval"):
        assert linked(awx, workflow) == chain
    assert extra_vars(awx, "Gateways: apply the approved plan") == {
        "gateway_keys_approved": "{{ gateway_keys_plan_digest | default('') }}"
    }
    injected = awx.named("credential_types", "VPN key directory")["injectors"]
    assert injected["env"] == {"VPNOPS_KEYS_DIRECTORY_URL": "{{ url }}"}
    survey = awx.survey("workflow_job_templates", "Gateways: new key with approval")
    assert [one["variable"] for one in survey["spec"] if one["required"]] == ["gateway", "confirm"]
    number = awx.named("job_templates", "Gateways: enroll")["id"]
    administrators = awx.named("credentials", "administrator of the gateways")["id"]
    assert awx.associated["job_templates", number, "credentials"] == [administrators]
    applied = awx.state()

    awx.written.clear()
    assert administrator.counted() == 0
    assert awx.state() == applied
    assert not awx.written

    awx.named("job_templates", "Gateways: converge")["job_slice_count"] = 7
    awx.named("credential_types", "VPN key directory")["injectors"] = {}
    awx.named("schedules", "Gateways: converge")["enabled"] = False
    awx.survey("job_templates", "Key servers: plan")["spec"][0]["default"] = "always"
    awx.associated["job_templates", number, "credentials"].clear()
    edited = awx.state()
    assert administrator.counted("--check", *WITHOUT_WORKFLOWS) == 3
    assert awx.state() == edited
    assert not awx.written
    assert administrator.counted(*WITHOUT_WORKFLOWS) == 3
    assert awx.state() == applied


def test_what_is_missing_is_named(awx: Awx, tmp_path: Path) -> None:
    done = Administrator(awx, tmp_path).run(
        "-e", "controller_project=nowhere", "-e", '{"controller_credential_types": []}'
    )
    assert done.code == 2
    assert "The project nowhere in organization Default was not found" in done.error("Job templates")[1] + done.output
    assert not awx.written


def test_as_a_job_of_its_own(awx: Awx, tmp_path: Path) -> None:
    """AWX is told by one of its jobs, whose credential is the one that AWX has for that."""
    itself = Credential(env={"CONTROLLER_HOST": awx.url, "CONTROLLER_OAUTH_TOKEN": TOKEN})
    controller = Controller(tmp_path, {"all": {"hosts": {}}}, [itself])
    given = {"controller_host_config_key": HOST_CONFIG_KEY, "controller_workflows": []}
    job = controller.run("configure_awx.yml", given)
    assert job.code == 0, job.output
    assert job.changed > 0
    assert awx.named("job_templates", "Gateways: converge")["host_config_key"] == HOST_CONFIG_KEY
    kept = controller.kept()
    assert_clean(kept, {"host config key": HOST_CONFIG_KEY.encode()})
    # The command is kept with its environment; AWX hides there what a credential has put in.
    assert_clean({name: content for name, content in kept.items() if not name.endswith("/command")},
                 {"token": TOKEN.encode()})  # fmt: skip
