# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the record of every backend: what is stored lasts, or is not acknowledged."""

from __future__ import annotations

import stat

import pytest
from unit.gateway.wireguard.gateways import RUNNING, Gateway
from unit.gateway.wireguard.samples import NEW, PSK, A, B, C, raw_key
from unit.gateway.wireguard.syntaxes import SYNTAXES, Written
from unit.gateway.wireguard.test_store import peer as running_peer
from unit.gateway.wireguard.test_store import running, wanted

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import commands
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.commands import Done
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import backends
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import record as wg_record

OF_NETPLAN = [name for name, written in SYNTAXES.items() if written.netplan]


@pytest.fixture(params=SYNTAXES)
def name(request: pytest.FixtureRequest) -> str:
    """Of the backend."""
    found: str = request.param
    return found


@pytest.fixture
def written(name: str) -> Written:
    return SYNTAXES[name]


@pytest.fixture
def gateway(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """All services start at a boot, and none of them runs."""
    for written in SYNTAXES.values():
        enable(gateway, written)
    monkeypatch.setattr(commands, "attempt", lambda *words: Done(8, "", "Error: NetworkManager is not running."))
    return gateway


def enable(gateway: Gateway, written: Written) -> None:
    gateway.path(f"etc/systemd/system/multi-user.target.wants/{written.unit}").symlink_to("/dev/zero")


def test_every_backend_has_its_row() -> None:
    assert list(SYNTAXES) == [backend.name for backend in backends.BACKENDS] == list(backends.CHOICES[1:])


def test_a_gateway_says_by_its_files_what_sets_its_interface_up(gateway: Gateway, name: str, written: Written) -> None:
    gateway.write(**{written.main: written.typical})
    record = gateway.record()
    assert (record.backend.name, record.path) == (name, f"{gateway.root}/{written.main}")
    assert gateway.said() == wg_record.differences(record, RUNNING) == []


def test_every_byte_is_back_after_a_rotation_that_was_aborted(gateway: Gateway, written: Written) -> None:
    """With the mode of the file."""
    gateway.write(**{written.main: written.typical})
    (change,), runtime = gateway.store(RUNNING, wanted(A, NEW))
    assert (change.refused, change.changed) == ("", True)
    assert gateway.read(written.main).count(NEW.text) == 1
    assert wg_record.differences(gateway.record(), runtime) == []
    (change,), runtime = gateway.store(runtime, wanted(A, known=(A, NEW)))
    assert (change.refused, change.changed) == ("", True)
    assert gateway.read(written.main) == written.typical
    assert stat.S_IMODE((gateway.root / written.main).stat().st_mode) == 0o600
    assert set(runtime.peers) == set(RUNNING.peers)


def test_a_key_is_replaced_withdrawn_and_brought_back(gateway: Gateway, written: Written) -> None:
    gateway.write(**{written.main: written.typical})
    _change, runtime = gateway.store(RUNNING, wanted(A, NEW))
    (change,), runtime = gateway.store(runtime, wanted(NEW, known=(A, NEW)))
    assert (change.refused, gateway.read(written.main)) == ("", written.typical.replace(A.text, NEW.text))
    assert wg_record.differences(gateway.record(), runtime) == []
    (change,), runtime = gateway.store(runtime, wanted(None, known=(A, NEW)))
    assert change.refused == ""
    assert set(runtime.peers) == {B.text}
    lines = gateway.read(written.main).splitlines()
    assert NEW.text not in "".join(line for line in lines if not line.startswith("#"))
    (change,), runtime = gateway.store(runtime, wanted(A, known=(A, NEW)))
    assert (change.refused, gateway.read(written.main)) == ("", written.typical)
    assert wg_record.differences(gateway.record(), runtime) == []


def test_a_new_peer_comes_last_and_comes_up_again(gateway: Gateway, written: Written) -> None:
    gateway.write(**{written.main: written.typical})
    wish = wanted(C, known=(), endpoint="192.0.2.9:1", networks=("10.0.10.0/24", "fd09::/64"))
    runtime = running(*RUNNING.peers.values(), running_peer(C, ("10.0.10.0/24", "fd09::/64"), PSK, 25))
    (change,), runtime = gateway.store(runtime, wish)
    assert (change.refused, change.changed) == ("", True)
    assert gateway.read(written.main).startswith(f"{written.typical}\n# gw1\n")
    assert wg_record.differences(gateway.record(), runtime) == []


def test_a_peer_that_only_runs_is_not_acknowledged(gateway: Gateway, written: Written) -> None:
    gateway.write(**{written.main: written.typical})
    runtime = running(*RUNNING.peers.values(), running_peer(C, ("10.0.9.0/24",)))
    (change,), _runtime = gateway.store(runtime, wanted(C, known=(C,)))
    what = f"has no [{written.syntax.peer}] section for it, so its key would be lost at the next start"
    assert what in change.refused


def test_the_own_key_is_written_where_it_is(gateway: Gateway, written: Written) -> None:
    gateway.write(**{written.main: written.typical})
    gateway.record().write_secret(raw_key("new"))
    assert gateway.read(written.main) == written.typical.replace(raw_key("secret"), raw_key("new"))
    assert gateway.record().secret() == raw_key("new")


def test_what_runs_in_another_way_than_the_file_says_is_known(gateway: Gateway, written: Written) -> None:
    gateway.write(**{written.main: written.typical})
    runtime = running(running_peer(A, ("10.0.0.2/32",), PSK, 25), running_peer(B, ("10.0.0.3/32", "10.3.0.0/16"), PSK))
    first, second = wg_record.differences(gateway.record(), runtime)
    assert first.startswith(f"The peer {A.text} runs with other networks than")
    assert second.startswith(f"The peer {B.text} runs with another preshared key than")


# ---- which one


def test_where_none_is_there_all_are_named(gateway: Gateway) -> None:
    with pytest.raises(VpnKeysError) as caught:
        gateway.record()
    assert str(caught.value) == (
        "No file of wg-quick, systemd-networkd or NetworkManager sets up wg0. Nothing was changed; write one first, or "
        "set interface."
    )


@pytest.mark.parametrize("other", SYNTAXES)
def test_where_two_are_there_either_may_go(gateway: Gateway, name: str, other: str) -> None:
    if list(SYNTAXES).index(other) <= list(SYNTAXES).index(name):
        return
    first, second = SYNTAXES[name], SYNTAXES[other]
    gateway.write(**{first.main: first.typical, second.main: second.typical})
    (sentence,) = gateway.said()
    assert sentence.startswith(f"/{second.main}, line ")
    assert sentence.endswith(
        f" lets {other} set up wg0 with peers of its own, so what is stored here would be lost at the next start; "
        f"remove /{second.main}, so that {name} alone sets up wg0 (or /{first.main}, so that {other} does)."
    )


def test_what_is_demanded_counts_and_of_the_others_what_a_boot_starts(gateway: Gateway, name: str) -> None:
    """A wg0.conf may be left from `nmcli connection import`."""
    gateway.write(**{written.main: written.typical for written in SYNTAXES.values()})
    assert gateway.record(name).backend.name == name
    assert len(gateway.said(name)) == len(SYNTAXES) - 1
    for other, written in SYNTAXES.items():
        if other != name:
            gateway.path(f"etc/systemd/system/multi-user.target.wants/{written.unit}").unlink()
    assert gateway.said(name) == []


def test_what_is_demanded_and_not_there_is_refused_in_one_sentence(gateway: Gateway, name: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        gateway.record(name)
    assert str(caught.value) == (
        f"backend is {name}, but no file of it sets up wg0. Nothing was changed; write one first, or set interface."
    )
    other, written = next((other, written) for other, written in SYNTAXES.items() if other != name)
    gateway.write(**{written.main: written.typical})
    with pytest.raises(VpnKeysError) as caught:
        gateway.record(name)
    assert str(caught.value).replace(str(gateway.root), "") == (
        f"backend is {name}, but wg0 is set up by /{written.main} of {other}. Nothing was changed; set backend to "
        "detect."
    )


# ---- services


@pytest.mark.parametrize("name", OF_NETPLAN)
def test_what_netplan_has_written_is_named_with_the_file_to_edit(gateway: Gateway, written: Written) -> None:
    """It is not changed; the running interface is, and nothing is acknowledged."""
    yaml = "network:\n  tunnels:\n    # wg0: office\n    wg0:\n      mode: wireguard\n"
    gateway.write(**{"etc/netplan/50-wg.yaml": yaml, "etc/netplan/00-eth.yaml": "network: {}\n"})
    gateway.write(**{written.netplan: written.typical})
    (sentence,) = gateway.said()
    start = f"/{written.netplan}, which is a file that netplan writes anew at each start, so what is stored here would "
    assert sentence.startswith(f"{start}be lost at the next start; take wg0 out of /etc/netplan/50-wg.yaml (line 4), ")
    assert f" for it in /{written.main.rpartition('/')[0]}." in sentence
    (change,), runtime = gateway.store(RUNNING, wanted(None, known=(A,)))
    assert "netplan writes anew" in change.refused
    assert set(runtime.peers) == {B.text}
    assert gateway.read(written.netplan) == written.typical
    with pytest.raises(VpnKeysError, match="is a file that netplan writes anew at each start"):
        gateway.record().write_secret(raw_key("new"))


@pytest.mark.parametrize("name", OF_NETPLAN)
@pytest.mark.parametrize("masked", [False, True])
def test_a_service_that_does_not_start_at_a_boot_brings_nothing_up(
    gateway: Gateway, written: Written, masked: bool
) -> None:
    gateway.write(**{written.main: written.typical})
    if masked:
        gateway.path(f"etc/systemd/system/{written.unit}").symlink_to("/dev/null")
    else:
        gateway.path(f"etc/systemd/system/multi-user.target.wants/{written.unit}").unlink()
    (sentence,) = gateway.said()
    assert f"which nothing reads at a boot, as {written.unit} is not enabled" in sentence
