# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile of NetworkManager brings up, and what is said where that cannot be promised."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from unit.gateway.wireguard.gateways import RUNNING, Gateway
from unit.gateway.wireguard.networkmanager.test_config import TYPICAL
from unit.gateway.wireguard.samples import NEW, PSK, A, B, raw_key
from unit.gateway.wireguard.test_store import wanted

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import commands, files
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.commands import Done
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import store as wg_store
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkmanager import (
    record as networkmanager,
)

ETC, RUN, USR = (f"{where}/NetworkManager/system-connections" for where in ("etc", "run", "usr/lib"))
MAIN = f"{ETC}/wg0.nmconnection"
ENABLED = "etc/systemd/system/multi-user.target.wants/NetworkManager.service"
UUID = "6a3c1e6e-9a25-4c5e-8ec0-0d7e1a6b4a11"
OTHER = TYPICAL.replace(UUID, UUID[::-1])


@pytest.fixture
def gateway(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    gateway.main = MAIN
    gateway.path(ENABLED).symlink_to("/usr/lib/systemd/system/NetworkManager.service")
    monkeypatch.setattr(commands, "attempt", lambda *words: Done(0, "", ""))
    return gateway


# ---- which files


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([f"{ETC}/office"], f"{ETC}/office"),  # in /etc alone, any name will do
        ([f"{RUN}/office", f"{USR}/office"], ""),
        ([f"{ETC}/wg0.nmconnection~", f"{ETC}/.wg0", f"{ETC}/wg0.AbCdEf", f"{ETC}/wg0.pem", f"{ETC}/x.nmmeta"], ""),
        ([f"{RUN}/.wg0.nmconnection"], ""),
        ([f"{USR}/a.nmconnection", f"{ETC}/b.nmconnection"], f"{ETC}/b.nmconnection"),
        ([f"{RUN}/b.nmconnection", f"{ETC}/a.nmconnection"], f"{RUN}/b.nmconnection"),
    ],
)
def test_which_file_counts(gateway: Gateway, names: list[str], found: str) -> None:
    gateway.write(**dict.fromkeys(names, TYPICAL))
    place = networkmanager.there("wg0")
    assert (place.path.removeprefix(f"{gateway.root}/") if place else "") == found


def test_a_file_that_is_being_written_is_no_profile(gateway: Gateway) -> None:
    """Should it be left by a kill: it would count, as it is newer."""
    gateway.write(**{MAIN + files.UNFINISHED: TYPICAL})
    assert networkmanager.there("wg0") is None


def test_of_two_with_the_same_uuid_the_newer_one_counts_and_both_are_named(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL, f"{MAIN}.bak": TYPICAL})
    os.utime(gateway.root / MAIN, (1, 1))
    (sentence,) = gateway.said()
    assert sentence.startswith(f"/{MAIN}, line 6 sets up wg0, too, so what is stored here would be lost")
    assert sentence.endswith(f"; leave one of /{MAIN}.bak and that file.")


def test_a_profile_of_a_package_that_one_of_its_own_replaces_does_not_count(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL, f"{USR}/wg0.nmconnection": TYPICAL})
    assert gateway.said() == []
    gateway.write(**{f"{USR}/wg0.nmconnection": OTHER})
    assert "sets up wg0, too" in gateway.said()[0]


def test_one_that_starts_by_itself_counts_more(gateway: Gateway) -> None:
    manual = TYPICAL.replace("[connection]\n", "[connection]\nautoconnect=false\n")
    gateway.write(**{f"{ETC}/a": manual, f"{ETC}/b": OTHER})
    assert gateway.record().path.endswith("/b")
    assert networkmanager.BACKEND.starts("wg0")
    gateway.path(f"{ETC}/b").unlink()
    assert gateway.said() == []
    assert not networkmanager.BACKEND.starts("wg0")


# ---- what is said


SERVICE = "etc/systemd/system/NetworkManager.service.d/x.conf"
DISPATCHED = "etc/NetworkManager/dispatcher.d/pre-up.d/a"
CONF = "etc/NetworkManager/conf.d/a.conf"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({f"{USR}/a.nmconnection": TYPICAL}, "which is a file of a package, which its next version replaces, so"),
        ({f"{RUN}/a.nmconnection": TYPICAL}, "/a.nmconnection, which is a file that a reboot removes, so"),
        ({MAIN: TYPICAL + "[match]\nkernel-command-line=x\n"}, "line 29 has a condition for the file"),
        ({MAIN: TYPICAL.replace("id=office", "permissions=user:joe:;")}, "line 3 lets it start only when a user"),
        ({MAIN: TYPICAL.replace("preshared-key-flags=0\n", "")}, f"/{MAIN}, line 13 begins a peer with"),
        ({MAIN: TYPICAL.replace(f"preshared-key = {PSK}\n", "")}, "so NetworkManager does not start the interface"),
        ({MAIN: TYPICAL + f"[wireguard-peer.{A.text}]\n"}, "line 28 begins a section that is there for"),
        ({MAIN: TYPICAL.replace(f"private-key={raw_key('secret')}", "")}, "which gives no private key, so NetworkM"),
        ({MAIN: TYPICAL, DISPATCHED: "\nwg set wg0 peer X remove\n"}, f"/{DISPATCHED}, line 2 changes peers"),
        ({MAIN: TYPICAL, CONF: "[keyfile]\npath=/etc/x\n"}, f"/{CONF}, line 2 lets NetworkManager read its profiles"),
        ({MAIN: TYPICAL, CONF: "[keyfile]\nunmanaged-devices=type:wireguard\n"}, "lets NetworkManager leave wg0 alone"),
        (
            {MAIN: TYPICAL, SERVICE: "[Service]\nExecStartPost=wg addconf wg0 /etc/x\n"},
            f"/{MAIN}, beside which NetworkManager.service loads peers from /etc/x, so",
        ),
    ],
)
def test_what_a_start_does_in_another_way_is_named(gateway: Gateway, files: dict[str, str], words: str) -> None:
    gateway.write(**files)
    (sentence,) = gateway.said()
    assert words in sentence
    assert "addconf" not in sentence.partition("after the next start; ")[2]


def test_what_it_does_not_read_is_named(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL})
    gateway.path(MAIN).chmod(0o640)
    (sentence,) = gateway.said()
    assert sentence.startswith(f"/{MAIN}, which NetworkManager does not read, so")
    assert sentence.endswith("; let it belong to root, with mode 0600.")
    gateway.path(MAIN).chmod(0o600)
    gateway.path(f"{RUN}/{UUID}.nmmeta").symlink_to("/dev/null")
    (sentence,) = gateway.said()
    assert f"which NetworkManager does not read because of /{RUN}/{UUID}.nmmeta, so" in sentence


def test_an_interface_that_somebody_else_has_set_up_is_not_its_own(gateway: Gateway) -> None:
    """NetworkManager writes a profile for each."""
    seen = TYPICAL + "[.nmmeta]\nnm-generated=true\nvolatile=true\nexternal=true\n"
    wg_quick = f"[Interface]\nPrivateKey = {raw_key('secret')}\n"
    gateway.write(**{f"{RUN}/wg0.nmconnection": seen, "etc/wireguard/wg0.conf": wg_quick})
    assert (gateway.record().backend.name, gateway.said()) == ("wg-quick", [])


def test_netplan_may_know_the_interface_by_another_name(gateway: Gateway) -> None:
    """NetworkManager itself keeps its profiles there on some systems."""
    yaml = 'network:\n  tunnels:\n    NM-1:\n      networkmanager:\n        passthrough:\n'
    yaml += '          connection.interface-name: "wg0"\n'
    gateway.write(**{f"{RUN}/netplan-NM-1.nmconnection": TYPICAL, "etc/netplan/90-NM-1.yaml": yaml})
    (sentence,) = gateway.said()
    assert "take wg0 out of /etc/netplan/90-NM-1.yaml (line 6), and write a profile for it in /etc" in sentence


def test_an_own_key_that_an_agent_keeps_is_not_written(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL.replace("listen-port", "private-key-flags=1\nlisten-port")})
    with pytest.raises(VpnKeysError, match="lets an agent keep the own key; change it to `private-key=KEY` and"):
        gateway.record().write_secret(raw_key("new"))


# ---- the service


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (Done(0, "", "Could not load file '/x'"), "Could not load file '/x'"),
        (Done(1, "", ""), "nmcli ended with 1"),
        (None, "The program nmcli is not installed on this gateway"),
    ],
)
def test_a_file_that_it_does_not_take_is_named(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, done: Done | None, why: str
) -> None:
    """It ends with 0 all the same. What runs is changed, and nothing is acknowledged."""

    def attempt(*words: str) -> Done:
        if done is None:
            raise VpnKeysError("not_found", why)
        return done

    monkeypatch.setattr(commands, "attempt", attempt)
    gateway.write(**{MAIN: TYPICAL})
    record = gateway.record()
    what = f"NetworkManager has not read {record.path} again: {why}"
    assert record.backend.load(record.path) == what
    with pytest.raises(VpnKeysError) as caught:
        record.write_secret(raw_key("new"))
    assert str(caught.value) == f"{what}. The key is in {record.path}."
    gone = wanted(None, known=(A,))
    made = wg_store.plan(record.blocks, RUNNING, [gone], {})
    made.unread = what
    (change,) = wg_store.lasting(made, record, [gone], True)
    assert change.refused == (
        f"Peer gw1: {what}, so its key may be accepted again after the next start. The running interface does not "
        "accept it any more."
    )


@pytest.mark.parametrize("done", [Done(0, "", ""), Done(8, "", "Error: NetworkManager is not running.")])
def test_it_is_told_to_read_what_was_written(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, done: Done) -> None:
    """A gateway where it does not run has nothing to be told."""
    told: list[tuple[str, ...]] = []

    def attempt(*words: str) -> Done:
        told.append(words)
        return done

    monkeypatch.setattr(commands, "attempt", attempt)
    gateway.write(**{MAIN: TYPICAL})
    gateway.record().write_secret(raw_key("new"))
    assert told == [("nmcli", "connection", "load", f"{gateway.root}/{MAIN}")]


@pytest.mark.parametrize("code", [0, 4, 8])
def test_it_is_told_to_forget(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(commands, "attempt", lambda *words: Done(code, "", "Error: no"))
    if code != 4:
        networkmanager.forget("wg0")
        return
    with pytest.raises(VpnKeysError) as caught:
        networkmanager.forget("wg0")
    assert str(caught.value) == (
        "NetworkManager may add removed peers to wg0 again: nmcli device reapply failed: Error: no. Run `nmcli "
        "connection up ID`."
    )


# ---- a second interface


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({MAIN: TYPICAL}, ""),
        ({MAIN: TYPICAL + "[ipv6]\nroute-table=77\n"}, "sets route-table or fwmark"),
        ({MAIN: TYPICAL.replace("id=office", "zone=vpn")}, "line 3 puts wg0 into a zone of firewalld"),
        ({MAIN: TYPICAL, f"{ETC}/b": OTHER.replace("=wg0", "=wg0b")}, "/b, line 6 is for wg0b"),
    ],
)
def test_what_is_in_the_way_of_a_second_interface(gateway: Gateway, files: dict[str, str], words: str) -> None:
    gateway.write(**files)
    record = gateway.record()
    found = record.backend.in_the_way(record, "wg0b")
    assert len(found) == bool(words)
    assert all(words in sentence for sentence in found)


# ---- beside the real one

ANSWERS = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))


def clamped(secret: str) -> str:
    """A private key as the kernel has it."""
    first, *middle, last = base64.b64decode(secret)
    return base64.b64encode(bytes([first & 248, *middle, last & 127 | 64])).decode()


@pytest.mark.parametrize("name", ANSWERS["cases"])
def test_it_brings_up_what_the_real_one_did(gateway: Gateway, name: str) -> None:
    """Recorded from NetworkManager on a kernel with WireGuard: the same peers, or a refusal."""
    case: dict[str, Any] = ANSWERS["cases"][name]
    for path, file in case["files"].items():
        if file["text"] is None:
            gateway.path(path).symlink_to("/dev/null")
        else:
            gateway.write(**{path: file["text"]})
            gateway.path(path).chmod(int(file["mode"], 8))
    assert case["refused"] in (gateway.refusal() or gateway.record().backend.hidden)
    if not case["refused"]:
        assert gateway.refusal() == ""
        record = gateway.record()
        owners = sections.owners(record.blocks)
        assert {key: value for block in record.blocks for key, value in told(block, owners)} == case["peers"]
        assert clamped(record.secret()) == case["secret"]


def told(block: sections.Block, owners: dict[str, str]) -> list[tuple[str, list[Any]]]:
    """What a section says of a peer, as it was recorded."""
    if block.kind != sections.PEER:
        return []
    key = sections.public_key(block).text
    networks = sorted({net for net in sections.networks(block) if owners[net] == key})
    what = [sections.preshared_key(block), sections.value(block, "endpoint"), networks, sections.keepalive(block) or 0]
    return [(key, what)]


def test_what_is_not_read_is_not_acknowledged(gateway: Gateway) -> None:
    """The running interface is changed all the same."""
    gateway.write(**{MAIN: TYPICAL})
    gateway.path(MAIN).chmod(0o644)
    (change,), runtime = gateway.store(RUNNING, wanted(None, known=(A, NEW)))
    assert "which NetworkManager does not read, so its key may be accepted again after the next start" in change.refused
    assert set(runtime.peers) == {B.text}
