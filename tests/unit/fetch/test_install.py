# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gateway needs to fetch: made once, brought up to date, removed; and a program that needs no library."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest
from unit.publishing.test_publication import ORIGIN, PUBLIC

from ansible_collections.vpnops.keys.plugins.module_utils._directory import note
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fetch import config, memory
from ansible_collections.vpnops.keys.plugins.module_utils._fetch import install as installer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import commands, peer_store
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.state import State
from ansible_collections.vpnops.keys.plugins.plugin_utils.gateways import fetch_program

PROGRAM = fetch_program.built()
OPTIONS: dict[str, t.Any] = {
    "url": "https://keys.example.com/vpn", "verify_key": note.verifier_key(ORIGIN, PUBLIC), "gateway": "gw1",
    "name_salt": None, "number": 7, "interval": 300, "ca": "-----BEGIN CERTIFICATE-----\n", "platform": "wireguard",
    "interface": "wg0", "backend": "detect", "identity": "", "program": base64.b64encode(PROGRAM).decode(),
}  # fmt: skip


class Gateway:
    name = "wireguard-wg0"

    def __init__(self, place: Path) -> None:
        self.state = State(self.name, str(place))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway's files in a directory, without systemd."""
    wanted = tmp_path / "wanted"
    monkeypatch.setattr(peer_store, "CONFIG", str(tmp_path / "etc/fetch.json"))
    for name, value in {
        "PLACE": tmp_path / "etc", "PROGRAM": tmp_path / "etc/fetch.pyz", "CA": tmp_path / "etc/ca.pem",
        "UNITS": tmp_path / "etc", "WANTED": wanted,
    }.items():  # fmt: skip
        monkeypatch.setattr(installer, name, str(value))
    monkeypatch.setattr(memory, "PLACE", str(tmp_path / "var"))
    monkeypatch.setattr(memory.read, "__defaults__", (str(tmp_path / "var"),))
    monkeypatch.setattr(installer, "_systemd", lambda: False)

    def run(*words: str) -> None:
        if "enable" in words and not wanted.is_symlink():
            wanted.symlink_to("timer")

    monkeypatch.setattr(commands, "run", run)
    return tmp_path


def install(place: Path, write: bool = True, **given: t.Any) -> list[str]:
    changes = installer.install(Gateway(place), {**OPTIONS, **given}, write)  # type: ignore[arg-type]
    return [Path(change.what).name for change in changes]


def test_once(place: Path) -> None:
    predicted = install(place, write=False)
    assert not (place / "etc").exists()
    assert install(place) == predicted
    assert len(predicted) == 6
    assert install(place) == []
    assert (place / "etc/fetch.pyz").read_bytes() == PROGRAM
    assert (place / "etc/fetch.json").stat().st_mode & 0o777 == 0o600
    found = config.load(str(place / "etc/fetch.json"))
    assert (found.origin, found.public, found.name, found.number) == (ORIGIN, PUBLIC, "gw1", 7)
    assert install(place, interval=60, name_salt="geheim") == ["fetch.json", "vpnops-keys-fetch.timer"]


def test_a_diff_has_no_salt(place: Path) -> None:
    changes = installer.install(Gateway(place), {**OPTIONS, "name_salt": "geheim"}, True)  # type: ignore[arg-type]
    assert "geheim" not in str(changes)


def test_it_is_removed(place: Path) -> None:
    install(place)
    predicted = installer.remove(write=False)
    assert installer.remove(write=True) == predicted
    assert list((place / "etc").iterdir()) == []
    assert not (place / "wanted").is_symlink()
    assert installer.remove(write=True) == []


def test_another_directory_counts_anew(place: Path) -> None:
    """And so does one whose memory cannot be read; the same one goes on from where it was."""
    install(place)
    memory.keep(memory.Seen(origin=ORIGIN, number=9), str(place / "var"))
    peer_store.note(Gateway(place), [99], way_back=False)  # type: ignore[arg-type]
    install(place, interval=60)
    assert (place / "var/seen.json").exists()
    other = ORIGIN.replace("5f0c", "6f0c")
    install(place, verify_key=note.verifier_key(other, PUBLIC))
    assert not (place / "var/seen.json").exists()
    assert peer_store.read(Gateway(place)) == peer_store.ByPlaybook()  # type: ignore[arg-type]
    (place / "var/seen.json").write_text("{")
    install(place, interval=70)
    assert not (place / "var/seen.json").exists()


BAD: dict[str, t.Any] = {
    "url": "https://x/ y", "verify_key": "vpnops.keys/5f0c/gateways+00000000+AAAA", "gateway": "a b", "interval": 0,
    "program": "not base64",
}  # fmt: skip


def test_the_program_is_made_on_the_control_node(place: Path) -> None:
    with pytest.raises(VpnKeysError, match="missing"):
        install(place, program=None)


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str, place: Path) -> None:
    with pytest.raises(VpnKeysError) as caught:
        install(place, **{name: BAD[name]})
    assert caught.value.code == "bad_input"
    assert not (place / "etc").exists()


# -- the program


def test_it_is_always_the_same() -> None:
    fetch_program.built.cache_clear()
    assert fetch_program.built() == PROGRAM


def test_it_needs_nothing_but_python(tmp_path: Path) -> None:
    """No module of Ansible, no library, nothing that only control nodes have is in it."""
    path = tmp_path / "fetch.pyz"
    path.write_bytes(PROGRAM)
    with zipfile.ZipFile(path) as file:
        names = set(file.namelist())
        whole = "".join(file.read(name).decode() for name in names)
    assert not [line for line in whole.splitlines() if line.lstrip().startswith(("import ansible", "from ansible"))]
    assert not [name for name in names if name.endswith(("store.py",)) and "_directory" in name]
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import vpnops_keys._fetch.main\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('cryptography', 'sqlalchemy', 'ansible')])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
