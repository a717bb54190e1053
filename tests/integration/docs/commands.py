# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which commands of the documentation are run, in which order, and what they have to say. Those that cannot be run in
a lab, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from lab.gateways import Mesh

PLAY = "ansible-playbook -i inventory.yml vpnops.keys."
DIRECTORY = "ansible localhost -m vpnops.keys.key_directory -a"
A_LIFE = "tests/unit/directory/test_life.py and test_transfer.py do it, with places of their own"
REGENERATE = f"{PLAY}regenerate_gateway -K -e gateway=gw1 -e confirm=gw1"
SYNC = f"{PLAY}sync_key_servers"
ROTATE = f"{PLAY}rotate_group_key -e key_server_rotate_label=GETVPN-2027"
EXPERIMENT = (
    f"{PLAY}rotate_group_key -e key_server_rotate_label=LAB-NEW -e key_server_rotate_canary=true"
    ' -e key_server_rotate_allow_split=true -e key_server_rotate_state_directory="$PWD/lab" | tee rotation.txt'
)
A_ROTATION = "waits for members of a live group; tests/integration/test_rotation.py does the same by a clock of its own"
ONE_GROUP = "-e key_server_sync_only_groups=GETVPN"
NEW_MACHINE = f"{PLAY}enroll_gateways -K --limit gw1 -e gateway_keys_adopt_reported_key=true"
KILLED = -9

Prepare: TypeAlias = Callable[[Mesh], object]


@dataclass(frozen=True)
class Step:
    """A command as it stands in the documentation, on one line, and how it has to end."""

    command: str
    says: str = ""
    """What it prints, whatever the line breaks."""
    code: int = 0
    answers: tuple[tuple[str, str], ...] = ()
    """Questions that it asks on the terminal, and what is typed."""
    env: dict[str, str] = field(default_factory=dict)
    before: Prepare | None = None


def without_a_key(mesh: Mesh) -> None:
    """What a new machine is: gw1 as before, but for its private key."""
    mesh.run("gw1", "sed -i /^PrivateKey/d /etc/wireguard/wg0.conf; wg set wg0 private-key /dev/null")


# Four key servers: the key of ks1 is that of ks4, ks2 has none, ks3 another one.
KEY_SERVERS = (
    Step(f"{PLAY}compare_key_servers", "REKEY (GETVPN): the keys differ", code=2),
    Step(f"{SYNC} -e key_server_sync_mode=plan", "ks3"),
    Step(f"{SYNC} -e key_server_sync_mode=render -e key_server_sync_render_path=commands.txt"),
    Step(
        f"{SYNC} -e key_server_sync_mode=plan -e key_server_sync_overwrite=always"
        ' -e key_server_sync_report_path="$PWD/plan.json"'
    ),
    Step(
        'python3 -c \'import json; print(json.dumps({"key_server_sync_approved":'
        ' [unit["digest"] for unit in json.load(open("plan.json"))["units"]]}))\' > approved.json'
    ),
    Step(f"{SYNC} -e key_server_sync_overwrite=always -e @approved.json", "REKEY (GETVPN): in sync now"),
    Step(f"{ROTATE} -e key_server_rotate_mode=plan", "Change the label to GETVPN-2027"),
    # The key was stolen.
    Step(
        f"{SYNC} -e key_server_sync_compromised=fdcb3bcb8304",
        "REKEY (GETVPN): in sync now",
        answers=(("Type yes", "yes"),),
    ),
    Step(SYNC, "REKEY (GETVPN): in sync"),
    Step(f"{PLAY}compare_key_servers {ONE_GROUP}", "REKEY (GETVPN): in sync"),
    Step(f"{SYNC} {ONE_GROUP}", "REKEY (GETVPN): in sync"),
    Step(f"{SYNC} -e 'key_server_sync_only_groups=GET*:!GETVPN-TEST'", "REKEY (GETVPN): in sync"),
    Step(f"{SYNC} --limit ks1,ks2", "REKEY (GETVPN): in sync"),
    Step(f"{SYNC} -e key_server_sync_overwrite=always", "REKEY (GETVPN): in sync"),
)

# Three gateways.
GATEWAYS = (
    Step(f"{PLAY}enroll_gateways"),
    Step(f"{PLAY}gateway_status", "Gateways: all match the directory"),
    Step(f"{PLAY}audit_keys -K -e key_report_path=keys.html -e key_report_json_path=keys.json"),
    Step(f"{REGENERATE} -e gateway_keys_plan_only=true", "Peers that can be updated now: gw2, gw3."),
    # A rotation that was cut off, for the next one to abort.
    Step(REGENERATE, code=KILLED, env={"KILL_AT": "before:Record which peers accept the new keys"}),
    Step(f"{PLAY}abort_rotation -e gateway=gw1 -e confirm=gw1", "Outcome"),
    Step(REGENERATE, "Outcome"),
    # In the next one gw1 is replaced by a machine without any key.
    Step(REGENERATE, code=KILLED, env={"KILL_AT": "before:Record which peers accept the new keys"}),
    Step(NEW_MACHINE, "neither the old nor the new one of its open rotation", code=2, before=without_a_key),
    Step(
        f"{REGENERATE} -e gateway_keys_mode=emergency",
        'OLD KEY: gw3 (unreachable: "Connection closed"). Make them reachable, then run converge_gateways.',
        before=lambda mesh: mesh.no_ssh("gw3"),
    ),
    Step(f"{PLAY}converge_gateways -K", "gw3 gw1 done", before=lambda mesh: mesh.ssh_back("gw3")),
    Step(f"{PLAY}converge_gateways", "Nothing is pending"),
    Step(f"{PLAY}gateway_status -K", "Gateways: all match the directory"),
    Step("ansible localhost -m vpnops.keys.key_directory -a state=rekeyed", "CHANGED"),
    Step(f'{DIRECTORY} "state=purged older_than_days=365"', "SUCCESS"),
    Step(f"{PLAY}converge_gateways -K -e gateway_keys_converge_all=true"),
    Step(f"{PLAY}converge_gateways -e gateway_keys_converge_all=true"),
    Step(f"ANSIBLE_STDOUT_CALLBACK=vpnops.keys.progress {PLAY}converge_gateways", "3 hosts: 3 ok."),
    Step(NEW_MACHINE, before=without_a_key),
    Step(f"{PLAY}converge_gateways -K", "gw3 gw1 done"),
    Step(f"{PLAY}gateway_status -K -e gateway_keys_fail_on=drift", "Gateways: all match the directory"),
    Step(
        f"{PLAY}revoke_gateway -K -e gateway=gw2 -e confirm=gw2"
        """ -e '{"gateway_keys_why": "laptop stolen"}'""",
        "No peer accepts the old key any more.",
    ),
)

# Installed by its metadata: nothing may be fetched in a test, so all of it must be there.
INSTALLATION = (
    Step(
        "python3 -m pip install -r ~/.ansible/collections/ansible_collections/vpnops/keys/requirements.txt", "asyncssh"
    ),
)

NOT_RUN = {
    "vault write transit/keys/vpn-directory type=ed25519": "no transit engine is here;"
    " tests/unit/directory/test_transit.py has a stand-in",
    f"""{DIRECTORY} '{{"state": "renamed", "gateways": [{{"name": "gw1", "new_name": "berlin1"}}]}}'""": A_LIFE,
    f'{DIRECTORY} "state=backed_up path=/var/backups/vpnops/directory.$(date +%F).db"': A_LIFE,
    f'{DIRECTORY} "state=restored path=/var/backups/vpnops/directory.2026-11-22.db"': A_LIFE,
    f"""{DIRECTORY} '{{"state": "moved", "url": "sqlite:////var/lib/vpnops/directory.db", "signing_key_path": \
"/var/lib/vpnops/directory.db.key", "to_url": "postgresql://vpnops:PASSWORD@db.example.net/vpnops"}}'""": A_LIFE,
    f"{PLAY}rotate_due -K": "tests/integration/gateways/test_role_rotation.py does it",
    f"{PLAY}retire_gateway -K -e gateway=gw1 -e confirm=gw1": "tests/integration/gateways/test_role_emergency.py"
    " does it",
    f"{ROTATE} -e key_server_rotate_canary=true -e key_server_rotate_allow_split=true": A_ROTATION,
    f"{ROTATE} -e key_server_rotate_until=prepared": A_ROTATION,
    f"{ROTATE} -e key_server_rotate_until=secondaries": A_ROTATION,
    ROTATE: A_ROTATION,
    f"{ROTATE} -e key_server_rotate_until=retired": A_ROTATION,
    f"{ROTATE} -e key_server_rotate_abort=true": A_ROTATION,
    f"{ROTATE} -e key_server_rotate_emergency=true -e key_server_rotate_allow_split=true": A_ROTATION,
    EXPERIMENT: A_ROTATION,
    "ansible -i inventory.yml key_servers -m vpnops.keys.getvpn_info > before.txt": A_ROTATION,
    "ansible -i inventory.yml key_servers -m vpnops.keys.getvpn_info > after.txt": A_ROTATION,
    "make demo": "test_demo.py runs it in `make test-thorough`, as it takes a minute",
    "make test": "is what runs the tests",
    "make lint": "a part of `make test`",
    "make quick": "tests/unit/test_scripts.py has what it chooses, and the rest is in `make test`",
    "make test-unit": "a part of `make test`",
    "make help": "reads the Makefile, as test_make_targets does",
    "make lab": "takes the directory .lab of the checkout, where somebody may have a lab; it is `python -m lab up`,"
    " which is tested in tests/unit/lab",
    "make lab-down": "the same",
    "ansible-playbook -f 2 -i inventory.yml vpnops.keys.regenerate_gateway -e gateway=gw1 -e confirm=gw1": "a recorded"
    " session; the command that people are to type is run, and the callback is tested in tests/integration/progress",
    "jq -r '.hosts | to_entries[] | select(.value == \"failed\") | .key' run.json": "jq is not among the tools of this"
    " repository; tests/integration/progress reads the same fields",
    """jq -r '.results[] | select(.verdict == "failed") | "\\(.host) \\(.group): \\(.message)"' run.json""": "the"
    " same",
    'ansible localhost -m vpnops.keys.key_directory -a "repair=true"': "needs a directory that somebody else wrote to;"
    " tests/unit/directory/test_checkpoints.py repairs each kind",
    "ansible-playbook vpnops.keys.configure_awx -e @my_site.yml": "needs the API of AWX; tests/integration/awx runs it"
    " against a stand-in",
    "ansible-builder build --tag registry.example.com/vpnops-keys": "needs a container engine;"
    " tests/integration/execution_environment does all that comes before that",
    "read -rs KEY_SERVER_PASSWORD && export KEY_SERVER_PASSWORD": "asks for a password; test_examples.py sets both",
    "read -rs KEY_SERVER_ENABLE && export KEY_SERVER_ENABLE": "the same",
    "ansible-navigator run vpnops.keys.sync_key_servers -i inventory.yml -e key_server_sync_overwrite=always": "needs"
    " ansible-navigator and a container engine; test_role.py answers the same question on a terminal",
    "ansible-galaxy collection install vpnops.keys": "fetches from Ansible Galaxy; `make build` installs the tarball",
    "ansible-playbook -i inventory.yml"
    " ~/.ansible/collections/ansible_collections/vpnops/keys/extensions/eda/call_in/install.yml"
    " -e call_in_url=https://eda.example.com:8443/ -e call_in_ca=$PWD/ca.pem -e call_in_callers=$PWD/callers": "needs"
    " somebody to call; tests/events runs it, in `make test-events`",
    "pip install ansible-core ansible-rulebook"
    " -r ~/.ansible/collections/ansible_collections/vpnops/keys/requirements.txt": "fetches from PyPI, as `make"
    " test-events` does",
    "ansible-rulebook --rulebook vpnops.keys.gateway_calls --inventory inventory.yml --vars settings.yml": "goes on for"
    " ever and needs Java; tests/events runs it, in `make test-events`",
}
