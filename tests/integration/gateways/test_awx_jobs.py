# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs and the workflow for gateways, run as AWX runs them: every playbook, with prompts answered and a key in an
agent, the directory's secrets from a credential, and sliced where that is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from integration.gateways.conftest import Make
from integration.gateways.site import Site
from integration.gateways.test_secrets_gateways import Secrets, bodies, forms
from integration.runner.jobs import CHECKOUT, Controller, Data, Job, custom, machine, part
from integration.test_secrets import assert_clean

pytestmark = pytest.mark.timeout(1800)

ENROLL, AUDIT, CONVERGE = "Gateways: enroll", "Gateways: audit", "Gateways: converge"
PLAN, APPLY = "Gateways: plan a rotation", "Gateways: apply the approved plan"
STOLEN, BACK, REVOKE = "Gateways: a key was stolen", "Gateways: roll back to the old key", "Gateways: revoke a lost one"
ROTATE: dict[str, str | int] = {
    "gateway": "gw1",
    "confirm": "gw1",
    "gateway_keys_why": "",
    "gateway_keys_strategy": "in_place",
    "gateway_keys_unreachable": "defer",
    "gateway_keys_minimum_share": 40,
    "gateway_keys_take_over": "false",
}
"""The survey, answered."""
REST = {
    "gateway_keys_second_port": "51822",
    "gateway_keys_confirm_timeout": "45",
    "gateway_keys_settle_timeout": "20",
    "gateway_keys_timeout": "90",
    "gateway_keys_allow_partial_inventory": "false",
    "gateway_keys_valid_days": "7",
    "gateway_keys_fetch_timeout": "60",
    "gateway_keys_fetch_asked": "5",
}
"""What else a survey of somebody's own could ask."""
ELSEWHERE = {
    "gateway_keys_plan_only", "gateway_keys_converge_all", "gateway_keys_adopt_reported_key", "gateway_keys_bits",
    "gateway_keys_max_gateways",
}
"""Given as text by the tests themselves."""


def fleet(site: Site) -> Data:
    """The inventory without credentials."""
    found = site.mesh.inventory()
    shared = found["gateways"]["vars"]
    del shared["ansible_ssh_private_key_file"], shared["ansible_become_password"]
    for one in found["gateways"]["hosts"].values():
        one["ansible_ssh_extra_args"] = one["ansible_ssh_extra_args"].replace("-o IdentitiesOnly=yes", "")
    return part(found, "gateways", site.names)


def controller(site: Site) -> Controller:
    """With a new signing key, which the site knows as well."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    url = f"sqlite:///{site.database}"
    beside = Path(f"{site.database}.key")
    beside.touch(0o600)
    beside.write_text(pem)
    administrator = machine(become_password=site.mesh.password, ssh_key=(site.mesh.directory / "id").read_text())
    directory = custom("VPN key directory", site.path, url=url, signing_key=pem)
    control_path = {"ANSIBLE_SSH_CONTROL_PATH": f"/run/{site.mesh.plan.lab}-%%C"}
    return Controller(site.path, fleet(site), [administrator, directory], control_path)


def refused(job: Job, *sentences: str) -> None:
    assert job.code == 2, job.output
    for sentence in sentences:
        assert sentence in job.output, job.output


def test_every_variable_is_known_here() -> None:
    specs = yaml.safe_load((CHECKOUT / "roles/gateway_keys/meta/argument_specs.yml").read_text())["argument_specs"]
    options = {name: one for entry in specs.values() for name, one in entry["options"].items()}
    typed = {name for name, one in options.items() if one["type"] in ("int", "bool", "float")}
    assert typed == {name for name in {*ROTATE, *REST, *ELSEWHERE} if name in typed}


def test_every_job(make_site: Make) -> None:
    site = make_site(gateways=3, enrolled=False)
    awx = controller(site)
    secrets = Secrets(site)
    secrets.observe()
    enrolled = awx.launch(ENROLL, {"gateway_keys_adopt_reported_key": "false", "gateway_keys_bits": "3072"})
    assert enrolled.code == 0, enrolled.output
    whole, old = site.fingerprints(), site.view()

    plan = awx.launch(PLAN, ROTATE | REST)
    assert plan.code == 0, plan.output
    assert set(plan.artifacts) == {"gateway_keys_plan_digest"}
    assert plan.artifacts["gateway_keys_plan_digest"] in plan.output
    refused(awx.launch(APPLY, ROTATE | REST), "The plan for gw1 is not approved. Nothing was changed.")
    refused(
        awx.launch(APPLY, ROTATE | {"gateway": "gw2", "confirm": "gw2"}, plan.artifacts), "The plan for gw2 has changed"
    )
    assert site.fingerprints() == whole
    assert site.view() == old

    site.mesh.no_ssh("gw3")
    done = awx.launch(APPLY, ROTATE | REST | {"gateway_keys_plan_only": "false"}, plan.artifacts)
    assert done.code == 0, done.output
    assert site.serial("gw1") == 2
    refused(awx.launch(APPLY, ROTATE, plan.artifacts), "The plan for gw1 has changed since it was approved")
    site.mesh.ssh_back("gw3")
    secrets.observe()

    assert site.all_pending() == {"gw3": ["gw1"]}
    for names in (["gw1", "gw2"], ["gw3"]):
        sliced = awx.launch(CONVERGE, inventory=part(awx.inventory, "gateways", names), told=slice_of(CONVERGE))
        assert sliced.code == 0, sliced.output
        assert bool(sliced.changed) is (names == ["gw3"])
    assert not site.all_pending()
    site.assert_whole()
    nothing = awx.launch(CONVERGE, {"gateway_keys_converge_all": "false"})
    assert nothing.code == 0
    assert "Nothing is pending" in nothing.output
    done_by = {one["event_data"].get("task_action") for one in nothing.events if one["event"] == "runner_on_ok"}
    assert "vpnops.keys.gateway_peers" not in done_by

    stolen = awx.launch(STOLEN, ROTATE)
    assert stolen.code == 0, stolen.output
    assert "No peer accepts the old key any more." in stolen.output
    refused(awx.launch(BACK, ROTATE), "No rotation of gw1 is open, so there is none to abort.")
    assert awx.launch(REVOKE, ROTATE | {"gateway": "gw3", "confirm": "gw3"}).code == 0
    assert site.view()["directory"]["gateways"]["gw3"]["revoked"]
    report = awx.launch("All keys: audit")
    assert report.code == 0, report.output
    assert report.changed == 0
    assert "gw3" in report.artifacts["key_report_html"]
    secrets.observe()

    hidden = secrets.found | {
        f"signing key {number}": form
        for number, body in enumerate(bodies((site.path / "signing_key").read_text()))
        for form in forms("", body).values()
    }
    lines = (site.mesh.directory / "id").read_text().splitlines()
    hidden["the administrator's key for SSH"] = lines[len(lines) // 2].encode()
    kept = awx.kept()
    assert sum("job_events" in name for name in kept) > 200
    assert_clean(kept, hidden)


def slice_of(template: str) -> dict[str, str]:
    return {"workflow_job_name": template, "workflow_job_id": "7"}


@pytest.mark.thorough
def test_slices(make_site: Make) -> None:
    """Who needs the whole fleet says so; an audit finds in each slice what differs there, and nothing else."""
    site = make_site(gateways=3, enrolled=False)
    awx = controller(site)
    assert awx.launch(ENROLL).code == 0
    whole, records = site.fingerprints(), site.view()
    some = part(awx.inventory, "gateways", ["gw1", "gw2"])
    for name in (PLAN, STOLEN, BACK, REVOKE):
        by_directory = awx.launch(name, ROTATE, inventory=some)
        refused(by_directory, "This inventory lacks gw3 of the directory, as in a job slice", "Nothing was changed.")
    by_name = awx.launch(ENROLL, inventory=some, told=slice_of(ENROLL))
    refused(
        by_name, "This job is a slice of Gateways: enroll, and this playbook needs all gateways. Nothing was changed."
    )
    all_the_same = awx.launch(PLAN, ROTATE | {"gateway_keys_allow_partial_inventory": "true"}, inventory=some)
    assert all_the_same.code == 0, all_the_same.output
    assert "gw3 (not in this play)" in all_the_same.output
    assert site.fingerprints() == whole
    assert site.view() == records

    site.mesh.run("gw3", f"wg set wg0 peer {site.own('gw1')} remove")
    there = awx.launch(AUDIT, inventory=part(awx.inventory, "gateways", ["gw3"]), told=slice_of(AUDIT))
    refused(there, "gw3: It stores no current key of gw1 in its running daemon.")
    here = awx.launch(AUDIT, inventory=some, told=slice_of(AUDIT))
    assert here.code == 0, here.output
    assert "gw3: It was not asked (not in this play)." in here.output
    assert awx.launch(CONVERGE, {"gateway_keys_converge_all": "true"}).code == 0
    site.assert_whole()
