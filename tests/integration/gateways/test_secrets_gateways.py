# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No private key, preshared key or password is anywhere where it does not belong, whatever happens."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from integration.gateways.conftest import Make
from integration.gateways.site import STATE, Site
from integration.test_secrets import Watch, assert_clean

pytestmark = pytest.mark.timeout(1800)

VERBOSE = {"ANSIBLE_LOG_PATH": "ansible.log", "ANSIBLE_DIFF_ALWAYS": "true", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
PLACES = ("etc", "run", "tmp", "root", "home", "var/tmp", "var/lib/vpnops.keys", "var/log", "var/lib/systemd")
AT_HOME = ("/etc/wireguard/wg0.conf", "/etc/swanctl/private/gw")
KEYS = {
    "wireguard": "wg show wg0 private-key; sed -n 's/^PrivateKey *= *//p' /etc/wireguard/wg0.conf",
    "strongswan": "cat /etc/swanctl/private/*",
}


class Secrets:
    """Everything that must not be told, by names that may be shown; grows as the gateways make keys."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.found = {"the administrator's password": site.mesh.password.encode()}
        self.current: dict[str, set[bytes]] = {}

    def observe(self) -> None:
        """Learn the keys that are there now."""
        for name in self.site.names:
            script = f"{KEYS[self.site.mesh.plan.platform]}; find {STATE} -name '*.key' -exec cat {{}} +"
            text = self.site.mesh.run(name, script, check=False)
            for number, body in enumerate(sorted(bodies(text))):
                self.found |= forms(f"private key {number} of {name}, {len(self.found)}", body)
            self.current[name] = set(bodies(self.site.mesh.run(name, KEYS[self.site.mesh.plan.platform])))
            if self.site.wireguard:
                for line in self.site.mesh.run(name, "wg show wg0 preshared-keys").splitlines():
                    if not line.endswith("(none)"):
                        self.found |= forms(f"preshared key of {name}", line.split()[1].encode())
        signing = self.site.path / "directory.db.key"
        if signing.exists():
            for body in bodies(signing.read_text()):
                self.found |= forms("signing key", body)


def bodies(text: str) -> set[bytes]:
    """The base64 of keys: of one in a line, and of those in PEM without their first line."""
    pem = re.findall("-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.+?)\n-----END", text, re.DOTALL)
    lines = re.findall("^[A-Za-z0-9+/]{43}=$", text, re.MULTILINE)
    return {body.replace("\n", "").encode() for body in [*pem, *lines]}


def forms(name: str, body: bytes) -> dict[str, bytes]:
    """A key as it may be written. Of a DER the part behind the head, which is the same for all."""
    raw = base64.b64decode(body)[-32:]
    return {
        name: body[:64] if len(body) > 64 else body,
        f"{name} (hex)": raw.hex().encode(),
        f"{name} (bytes)": raw,
    }


def run(site: Site, playbook: str, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """All that a run shows and leaves on the control node."""
    # A short path: Ansible puts a socket there, and the path of a socket has at most 107 characters.
    temporary = Path(tempfile.mkdtemp(prefix="vk-", dir="/tmp"))
    site.node.listed = True
    with Watch() as watch:
        done = site.play(playbook, "-vvvv", *arguments, env={"TMPDIR": str(temporary), **VERBOSE, **(env or {})})
    assert any(b"playbook" in line for line in watch.seen), "the process list was not looked at"
    assert any(b"vpnops" in line or b"python3" in line for line in watch.seen)
    left = {"output": done.output.encode(), "process list": b"\n".join(watch.seen), "code": str(done.code).encode()}
    allowed = {"inventory.yml", "directory.db.key"}
    for path in [*site.path.rglob("*"), *temporary.rglob("*")]:
        if path.is_file() and path.name not in allowed and "collections" not in path.parts:
            left[f"{playbook}: {path}"] = path.read_bytes()
    shutil.rmtree(temporary)
    return left


def told_by(site: Site, secrets: Secrets, tmp_path: Path) -> dict[str, list[str]]:
    """Where on the gateways which secrets are, by name of the secret."""
    found: dict[str, list[str]] = {}
    pattern = tmp_path / "pattern"
    for name, secret in secrets.found.items():
        if b"\n" in secret or b"\0" in secret:
            continue
        pattern.write_bytes(secret)
        places = [str(site.mesh.path(gateway, place)) for gateway in site.names for place in PLACES]
        words = ["grep", "-rlaF", "-D", "skip", "-f", str(pattern), *places]
        hits = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
        found[name] = [re.sub("^/proc/[0-9]+/root", "", hit) for hit in hits]
    return found


def rights(site: Site, name: str) -> list[str]:
    """Files of the collection, and of keys, that somebody else than root could read."""
    script = f"find {STATE} /run/vpnops.keys /etc/wireguard /etc/swanctl/private -type f -perm /077 2>/dev/null"
    return site.mesh.run(name, script, check=False).split()


TARGET = ["-e", "gateway=gw1", "-e", "confirm=gw1", "-e", "gateway_keys_settle_timeout=5"]


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_nothing_is_told(platform: str, make_site: Make, tmp_path: Path) -> None:
    """A whole life: enrollment, a rotation that is killed when the new key waits, its end, an emergency, an abort."""
    site = make_site(platform, 2, enrolled=False)
    del site.node.shared["ansible_ssh_pipelining"]
    secrets = Secrets(site)
    secrets.observe()
    left = []
    left.append(run(site, "enroll_gateways"))
    left.append(run(site, "regenerate_gateway", *TARGET, env={"KILL_AT": "before:Activate the new key"}))
    secrets.observe()
    waiting = site.mesh.run("gw1", f"find {STATE} -name pending.key -printf '%m %U '; stat -c %a {STATE}/*")
    assert waiting.split() == ["600", "0", "700"]
    assert not rights(site, "gw1")
    left.append(run(site, "regenerate_gateway", *TARGET))
    secrets.observe()
    left.append(run(site, "regenerate_gateway", *TARGET, "-e", "gateway_keys_mode=emergency"))
    secrets.observe()
    left.append(run(site, "regenerate_gateway", *TARGET, env={"KILL_AT": "before:Gather which keys the tunnels use"}))
    secrets.observe()
    left.append(run(site, "abort_rotation", *TARGET))
    secrets.observe()
    assert [one["code"] for one in left] == [b"0", b"-9", b"0", b"0", b"-9", b"0"], left[-1]["output"].decode()
    private = [name for name in secrets.found if "private key" in name and "(" not in name]
    assert len({secrets.found[name] for name in private}) == 5, "two gateways, and three new keys of one"
    for one in left:
        assert_clean(one, secrets.found)
    for name in site.names:
        assert not rights(site, name)
    current = {form[:64] for keys in secrets.current.values() for form in keys}
    for name, places in told_by(site, secrets, tmp_path).items():
        elsewhere = [place for place in places if not place.startswith(AT_HOME)]
        assert not elsewhere, (name, elsewhere)
        if "private" in name and secrets.found[name] not in current:
            assert not places, f"{name}, which is not in use any more, is in {places}"
        if "private" in name and secrets.found[name] in current:
            assert places, f"{name} was not found even where it must be: the search is broken"


def test_nothing_is_told_by_failures(make_site: Make) -> None:
    """Full disk, a read-only configuration, a wrong password."""
    site = make_site("wireguard", 2)
    secrets = Secrets(site)
    secrets.observe()
    site.mesh.fill_disk("gw1")
    left = [run(site, "regenerate_gateway", *TARGET)]
    site.mesh.empty_disk("gw1")
    site.node.shared["ansible_become_password"] = secrets.found["wrong"] = b"n0t-the-Right-one"
    site.node.shared["ansible_become_password"] = "n0t-the-Right-one"
    left.append(run(site, "regenerate_gateway", *TARGET))
    secrets.observe()
    for one in left:
        assert one["code"] != b"0", one["output"].decode()
        assert_clean(one, secrets.found)
