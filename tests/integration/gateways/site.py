# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mesh of real gateways, a control node and a directory, for tests of whole playbooks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from integration.control_node import ControlNode, Run

from ansible_collections.vpnops.keys.plugins.module_utils import _pending, _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._directory import transaction as directory
from lab.gateways import Mesh, networkd
from lab.gateways.backends import BACKENDS

Data = dict[str, t.Any]
CONFIGURATION = {"wireguard": "/etc/wireguard", "strongswan": "/etc/swanctl"}
STATE = "/var/lib/vpnops.keys"
RUNNING = """
for what in private-key peers preshared-keys allowed-ips persistent-keepalive; do wg show wg0 $what | sort; done
"""
_FILES = " ".join(path for backend in BACKENDS.values() for path in backend.files)
OWN_KEY = rf"""
{{ sed -n 's/^\(PrivateKey\|private-key\) *= *//p' {_FILES}; cat {networkd.KEY}; }} 2>/dev/null | wg pubkey
"""
PEER_KEYS = rf"sed -n 's/^PublicKey *= *//p; s/^.wireguard-peer.\([^]]*\)]$/\1/p' {_FILES} 2>/dev/null || true"
"""The keys that a start of a gateway with any backend brings up."""
FINISHED_WITHIN = 900.0
"""Seconds for a playbook on a machine that does much else."""
READING = {
    "signing_key_path": None, "signing_key": None, "signing_key_url": None, "verify_key": None, "witness_path": None,
    "fail_on_tampered": False, "only": None, "events_limit": 1000,
}
PEM = re.compile("-----BEGIN PUBLIC KEY-----(.+?)-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(repr=False)
class Site:
    """The gateways `names` of a mesh, as enrolled. The other gateways of the mesh are none of the collection's."""

    mesh: Mesh
    names: list[str]
    path: Path
    node: ControlNode = field(init=False)

    def __post_init__(self) -> None:
        inventory = self.mesh.inventory()
        inventory["gateways"]["hosts"] = {name: inventory["gateways"]["hosts"][name] for name in self.names}
        inventory["gateways"]["vars"]["ansible_ssh_pipelining"] = True
        environment = {"VPNOPS_KEYS_DIRECTORY_URL": f"sqlite:///{self.database}", "ANSIBLE_LOCALHOST_WARNING": "false"}
        # The path of a socket has at most 107 characters, and that of a test's directory may be longer.
        environment["ANSIBLE_SSH_CONTROL_PATH"] = f"/run/{self.mesh.plan.lab}-%%C"
        self.node = ControlNode(self.path, inventory, environment, "gateways", FINISHED_WITHIN)

    @property
    def database(self) -> Path:
        return self.path / "directory.db"

    # -- playbooks

    def play(self, playbook: str, *arguments: str, env: Mapping[str, str] | None = None, **variables: object) -> Run:
        """A playbook of the collection; variables of the role without their prefix."""
        return self.node.run(f"vpnops.keys.{playbook}", *arguments, *_extra(variables), env=env)

    def command(self, playbook: str, *arguments: str, **variables: object) -> list[str]:
        """What starts that."""
        return self.node.command(f"vpnops.keys.{playbook}", *arguments, *_extra(variables))

    def rotate(self, *names: str, confirm: str = "", **options: t.Any) -> Run:
        """regenerate_gateway for these gateways."""
        return self._about("regenerate_gateway", names, confirm, options)

    def abort(self, *names: str, confirm: str = "", **options: t.Any) -> Run:
        return self._about("abort_rotation", names, confirm, options)

    def revoke(self, *names: str, confirm: str = "", **options: t.Any) -> Run:
        return self._about("revoke_gateway", names, confirm, options)

    def retire(self, *names: str, confirm: str = "", **options: t.Any) -> Run:
        return self._about("retire_gateway", names, confirm, options)

    def _about(self, playbook: str, names: Iterable[str], confirm: str, options: Data) -> Run:
        wanted = ",".join(names)
        arguments = options.pop("arguments", ())
        env = options.pop("env", None)
        options.setdefault("settle_timeout", 20)
        return self.play(playbook, *arguments, *meant(wanted, confirm or wanted), env=env, **options)

    def audit(self, **variables: object) -> Run:
        """audit_keys, with a page and its data beside the directory."""
        paths = {"key_report_path": self.path / "audit.html", "key_report_json_path": self.path / "audit.json"}
        given = {**{name: str(path) for name, path in paths.items()}, **variables}
        return self.node.run("vpnops.keys.audit_keys", "-e", json.dumps(given))

    def converge_all(self, *arguments: str, **variables: t.Any) -> Run:
        """converge_gateways, and nobody is left alone because nothing is pending."""
        return self.play("converge_gateways", *arguments, converge_all="true", **variables)

    def own_play(self, action: str, *arguments: str, env: Mapping[str, str] | None = None, **play: t.Any) -> Run:
        """A play of the user's own that imports the role."""
        role = {"ansible.builtin.import_role": {"name": "vpnops.keys.gateway_keys", "tasks_from": action}}
        path = self.path / "own.yml"
        path.write_text(yaml.safe_dump([{"hosts": "gateways", "tasks": [role], **play}], sort_keys=False))
        return self.node.run(str(path), *arguments, env=env)

    def interrupt(self, name: str, state: str, *, mode: str = "planned") -> None:
        """A rotation that is killed as soon as the directory says that it came to that state."""
        words = self.command("regenerate_gateway", *meant(name, name), mode=mode)
        process = subprocess.Popen(
            words, cwd=self.path, env=self.node.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            until(lambda: self.state(name) == state, 60, lambda: f"{name} never was {state}")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    # -- what the directory says

    def view(self) -> Data:
        """What key_directory_info returns."""
        return directory.read({**READING, "url": f"sqlite:///{self.database}"})

    def serial(self, name: str) -> int:
        return int(self.view()["directory"]["gateways"][name]["serial"])

    def recorded(self, name: str) -> str:
        """The current key of the directory."""
        return str(self.view()["directory"]["gateways"][name]["public_key"])

    def rotation(self, name: str) -> Data | None:
        return t.cast("Data | None", self.view()["directory"]["gateways"][name]["rotation"])

    def state(self, name: str) -> str:
        """How far its rotation is, "" where none is open."""
        return str((self.rotation(name) or {"state": ""})["state"])

    def known(self) -> set[str]:
        """The gateways of the directory."""
        return set(self.view()["directory"]["gateways"])

    def said(self, name: str) -> Data:
        """What the inventory and the administrator said of a gateway, as far as the directory keeps it."""
        found = self.view()["directory"]["gateways"][name]
        return {key: found[key] for key in ("platform", "identity", "endpoint", "networks", "revoked")}

    def all_pending(self) -> dict[str, list[str]]:
        """For every gateway that has still to store something, whose keys these are."""
        view = self.view()
        found = _pending.of_result(view["peers"], view["learned"])
        return {name: names for name in view["learned"] if (names := found.pending_of(name))}

    def pending(self, name: str) -> list[str]:
        """The same of one."""
        return self.all_pending().get(name, [])

    def keys(self, name: str) -> list[str]:
        """All keys that the directory ever knew of a gateway, newest first."""
        return [one["public_key"] for one in self.view()["directory"]["gateways"][name]["keys"]]

    # -- what the gateways say

    @property
    def wireguard(self) -> bool:
        return self.mesh.plan.platform == "wireguard"

    def own(self, name: str) -> str:
        """The key that a gateway runs with, or, with strongSwan, has in its file."""
        if self.wireguard:
            return self.mesh.run(name, "wg show wg0 public-key").strip()
        return self._pem(self.mesh.run(name, f"pki --pub --in /etc/swanctl/private/{name}.key --outform pem"))

    def own_file(self, name: str) -> str:
        """The key that a gateway starts with."""
        if not self.wireguard:
            return self.own(name)
        return self.mesh.run(name, OWN_KEY).strip()

    def _pem(self, text: str) -> str:
        found = PEM.search(text)
        assert found, text
        return "".join(found[1].split())

    def accepted(self, at: str, name: str) -> set[str]:
        """The keys of a gateway that another one accepts or would accept after a restart."""
        known = set(self.keys(name))
        return self.stored(at) & known

    def stored(self, at: str) -> set[str]:
        """All keys of peers that a gateway accepts now or after a restart."""
        return self.stored_in_runtime(at) | self.stored_in_file(at)

    def stored_in_runtime(self, at: str) -> set[str]:
        if self.wireguard:
            return set(self.mesh.run(at, "wg show wg0 peers").split())
        return set()

    def stored_in_file(self, at: str) -> set[str]:
        if self.wireguard:
            return set(self.mesh.run(at, PEER_KEYS).split())
        config = self.mesh.run(at, "cat /etc/swanctl/conf.d/mesh.conf")
        lists = re.findall(r"^\s*pubkeys\s*=\s*([^#\n]+)", config, re.M)
        named = {name for one in lists for name in re.findall(r"[^,\s]+", one)}
        texts = [self.mesh.run(at, f"cat /etc/swanctl/pubkey/{name}", check=False) for name in named - {f"{at}.pub"}]
        return {self._pem(text) for text in texts if text}

    def configuration(self, name: str) -> dict[str, tuple[str, str]]:
        """Every file of the VPN configuration with its owner and mode."""
        place = CONFIGURATION[self.mesh.plan.platform]
        rows = self.mesh.run(name, f"find {place} -type f -printf '%p %U:%G %m\\n'").splitlines()
        found = {}
        for row in sorted(rows):
            path, rights = row.split(" ", 1)
            found[path] = (rights, self.mesh.path(name, path).read_text())
        return found

    def fingerprints(self, *names: str) -> dict[str, str]:
        """A gateway as a whole: its files, its own state, its running daemon."""
        runtime = RUNNING if self.wireguard else "swanctl --list-conns; ls -la --time-style=full-iso /etc/swanctl/*"
        script = f"find /etc {STATE} -type f -exec sha256sum {{}} + 2>/dev/null | sort; {runtime}"
        return {name: self.mesh.run(name, script) for name in names or self.names}

    def private_key(self, name: str) -> str:
        """The own private key; for searching, and for thieves."""
        if self.wireguard:
            return self.mesh.run(name, "wg show wg0 private-key").strip()
        return self.mesh.path(name, f"/etc/swanctl/private/{name}.key").read_text()

    # -- what must hold

    def assert_whole(self, *names: str) -> None:
        """Every gateway and every peer of it use what the directory says, and nothing else; nothing is left over."""
        assert not self.all_pending(), self.all_pending()
        for name in names or self.names:
            current = self.recorded(name)
            assert self.own(name) == self.own_file(name) == current, name
            assert self.rotation(name) is None
            for peer in self.names:
                if peer != name:
                    assert self.accepted(peer, name) == {current}, (peer, name)
                    assert not self.wireguard or current in self.stored_in_runtime(peer) & self.stored_in_file(peer)
            assert not self.left_over(name), name
        self.assert_tunnels()

    def left_over(self, name: str) -> list[str]:
        """What the collection keeps of a change that is not finished."""
        return self.mesh.run(name, f"find {STATE} -name '*.key' -o -name change.json", check=False).split()

    def assert_tunnels(self, *without: str, within: float = 12) -> None:
        """All tunnels between gateways of the site work."""
        until(lambda: not self.broken(*without), within, lambda: f"no tunnel: {self.broken(*without)}")

    def broken(self, *without: str) -> list[tuple[str, str]]:
        ours = set(self.names) - set(without)
        return [pair for pair in self.mesh.unreachable() if set(pair) <= ours]


def _extra(variables: Mapping[str, object]) -> list[str]:
    prefixed = {f"gateway_keys_{name}": value for name, value in variables.items()}
    return [word for name, value in prefixed.items() for word in ("-e", f"{name}={value}")]


def meant(names: str, confirm: str) -> list[str]:
    return ["-e", f"gateway={names}", "-e", f"confirm={confirm}"]


def until(true: Callable[[], bool], within: float, otherwise: Callable[[], str]) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.1)


def same_key(one: str, other: str) -> bool:
    return _public_key.parse(one) == _public_key.parse(other)
