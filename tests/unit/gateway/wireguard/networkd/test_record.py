# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of systemd-networkd bring up together, and what is said where that cannot be promised."""

from __future__ import annotations

import base64
import json
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.gateway.wireguard.gateways import RUNNING, Gateway
from unit.gateway.wireguard.networkd.test_config import TYPICAL
from unit.gateway.wireguard.samples import NEW, PSK, A, B, C, raw_key
from unit.gateway.wireguard.test_store import wanted

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import record as wg_record
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkd import record as networkd

MAIN = "etc/systemd/network/10-wg0.netdev"
ENABLED = "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"


@pytest.fixture
def gateway(gateway: Gateway) -> Gateway:
    gateway.main = MAIN
    gateway.path(ENABLED).symlink_to("/usr/lib/systemd/system/systemd-networkd.service")
    return gateway


# ---- which files


def test_drop_ins_are_read_in_the_order_of_systemd(gateway: Gateway) -> None:
    """By their names alone; of one name, the first directory has it, and an empty file hides the others."""
    below = "systemd/network/10-wg0.netdev.d"
    peer = "[WireGuard]\nListenPort={}\n[WireGuardPeer]\nPublicKey={}\n"
    gateway.write(**{
        MAIN: TYPICAL,
        f"usr/lib/{below}/30-c.conf": peer.format(3, C.text),
        f"etc/{below}/20-n.conf": peer.format(2, NEW.text),
        f"run/{below}/20-n.conf": peer.format(9, raw_key("no")),
        f"usr/local/lib/{below}/40-x.conf": peer.format(9, raw_key("no")),
        f"etc/{below}/40-x.conf": "",
        f"etc/{below}/x.conf~": peer.format(9, raw_key("no")),
    })  # fmt: skip
    (gateway.root / f"run/{below}/50-x.conf").symlink_to("/dev/null")
    record = gateway.record()
    assert [path.rpartition("/")[2] for path in record.paths] == ["10-wg0.netdev", "20-n.conf", "30-c.conf"]
    peers = [sections.public_key(block) for block in record.blocks if block.kind == sections.PEER]
    assert peers == [A, B, NEW, C]
    assert sections.setting(record.blocks, "=ListenPort") == "3"


def test_a_drop_in_may_be_what_gives_the_file_its_name(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL, f"{MAIN}.d/x.conf": "[NetDev]\nName=wg9\n"})
    main = str(gateway.root / MAIN)
    assert networkd.there("wg9") == wg_record.Found(main, 2, f"{main}.d/x.conf")
    assert networkd.there("wg0") is None


def test_an_error_in_a_drop_in_is_named_with_its_file(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL, f"{MAIN}.d/x.conf": "[WireGuard]\n\nnonsense\n"})
    with pytest.raises(VpnKeysError) as caught:
        gateway.record()
    assert caught.value.what == f"{gateway.root}/{MAIN}.d/x.conf: line 3 is neither a section nor an entry of one"


# ---- what is stored


@pytest.mark.parametrize("file", [MAIN, f"{MAIN}.d/20-a.conf"])
def test_every_byte_is_back_after_a_rotation_that_was_aborted(gateway: Gateway, file: str) -> None:
    """Wherever the peer is; with the owner and the mode of its file."""
    text = TYPICAL.replace(A.text, C.text) if file != MAIN else TYPICAL
    gateway.write(**{MAIN: text.replace("10.0.0.2/32", "10.0.9.2/32") if file != MAIN else text})
    if file != MAIN:
        gateway.write(**{file: f"# a\n[WireGuardPeer]\nPublicKey={A.text}\nAllowedIPs=10.0.0.2/32"})
    before = {name: gateway.read(name) for name in {MAIN, file}}
    gateway.path(file).chmod(0o640)
    (change,), runtime = gateway.store(RUNNING, wanted(A, NEW))
    assert (change.refused, change.changed) == ("", True)
    assert NEW.text in gateway.read(file)
    assert stat.S_IMODE((gateway.root / file).stat().st_mode) == 0o640
    (change,), runtime = gateway.store(runtime, wanted(A, known=(A, NEW)))
    assert (change.refused, change.changed) == ("", True)
    assert {name: gateway.read(name) for name in before} == before
    assert set(runtime.peers) == set(RUNNING.peers)


def test_a_new_peer_is_written_into_the_main_file(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL, f"{MAIN}.d/x.conf": "[WireGuard]\nListenPort=1\n"})
    new = wanted(NEW, known=(), endpoint="192.0.2.9:1", networks=("10.0.10.0/24",))
    (change,), _runtime = gateway.store(RUNNING, new)
    assert change.refused == ""
    assert gateway.read().startswith(TYPICAL)
    added = f"[WireGuardPeer]\nPublicKey = {NEW.text}\nAllowedIPs = 10.0.10.0/24\nEndpoint = 192.0.2.9:1\n"
    assert gateway.read() == f"{TYPICAL}\n# gw1\n{added}"


# ---- keys in files of their own


def test_the_own_key_is_written_where_it_is(gateway: Gateway) -> None:
    """Into its file, which systemd-networkd can read from its first moment; or on its line, in whatever file."""
    key = gateway.path("etc/wg0.key")
    text = TYPICAL.replace("ListenPort", f"PrivateKeyFile={key}\nListenPort")
    gateway.write(**{MAIN: text})
    assert gateway.record().secret() == ""
    gateway.record().write_secret(raw_key("new"))
    assert key.read_text() == raw_key("new") + "\n"
    assert stat.S_IMODE(key.stat().st_mode) == (0o640 if _networkd_is_here() else 0o600)
    assert (gateway.record().secret(), gateway.read()) == (raw_key("new"), text)
    gateway.write(**{MAIN: TYPICAL, f"{MAIN}.d/key.conf": f"[WireGuard]\nPrivateKey={PSK}\n"})
    assert gateway.record().secret() == PSK
    gateway.record().write_secret(raw_key("new"))
    assert gateway.read(f"{MAIN}.d/key.conf") == f"[WireGuard]\nPrivateKey={raw_key('new')}\n"
    assert gateway.record().secret() == raw_key("new")


def _networkd_is_here() -> bool:
    try:
        return bool(pwd.getpwnam("systemd-network"))
    except KeyError:
        return False


def test_a_preshared_key_in_a_file_is_the_one_that_counts(gateway: Gateway) -> None:
    psk = gateway.path("etc/a.psk")
    psk.write_text(f"{raw_key('other')}\n")
    gateway.write(**{MAIN: TYPICAL.replace(f"PresharedKey={PSK}", f"PresharedKey={PSK}\nPresharedKeyFile={psk}")})
    (difference,) = wg_record.differences(gateway.record(), RUNNING)
    assert difference.startswith(f"The peer {A.text} runs with another preshared key than")
    psk.write_text(f"{PSK}\n")
    assert wg_record.differences(gateway.record(), RUNNING) == []
    psk.unlink()
    (one,) = gateway.record().unanalyzed
    assert one.keys == (A.text,)
    what = "which holds a preshared key and which systemd-networkd cannot read"
    assert gateway.said()[0].startswith(f"/etc/a.psk, {what}, so")


# ---- what cannot be analyzed


USR, RUN = (f"{where}/{MAIN.partition('/')[2]}" for where in ("usr/lib", "run"))
SERVICE = "etc/systemd/system/systemd-networkd.service.d/x.conf"
DISPATCHED = "etc/networkd-dispatcher/routable.d/a"
AGAIN = f"[WireGuardPeer]\nPublicKey={A.text}\n"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({USR: TYPICAL}, f"/{USR}, which is a file of a package, which its next version replaces, so"),
        ({RUN: TYPICAL}, f"/{RUN}, which is a file that a reboot removes, so"),
        ({MAIN: TYPICAL, f"{RUN}.d/x.conf": "[WireGuard]\n"}, f"/{RUN}.d/x.conf, which is a file that a reboot"),
        ({MAIN: TYPICAL, "etc/systemd/network/20.netdev": TYPICAL}, "/20.netdev, which sets up wg0, too, so"),
        ({MAIN: "[Match]\nHost=gw1\n" + TYPICAL}, f"/{MAIN}, line 2 has a condition for the file"),
        ({MAIN: TYPICAL + AGAIN}, f"/{MAIN}, which has more than one [WireGuardPeer] for {A.text}"),
        ({MAIN: TYPICAL, DISPATCHED: "\nwg set wg0 peer X remove\n"}, f"/{DISPATCHED}, line 2 changes peers"),
        (
            {MAIN: TYPICAL, SERVICE: "[Service]\nExecStartPost=wg addconf wg0 /etc/x\n"},
            f"/{MAIN}, beside which systemd-networkd.service loads peers from /etc/x, so",
        ),
        (
            {MAIN: TYPICAL, SERVICE: "[Service]\nExecStartPost=wg setconf wg0 /etc/x\n"},
            f"/{SERVICE}, line 2, ExecStartPost = wg setconf wg0 /etc/x replaces the peers",
        ),
    ],
)
def test_what_a_start_does_beside_the_file_is_named(gateway: Gateway, files: dict[str, str], words: str) -> None:
    gateway.write(**files)
    (sentence,) = gateway.said()
    assert words in sentence
    advice = sentence.partition("after the next start; ")[2]
    assert "[Peer]" not in advice
    assert "addconf" not in advice


def test_a_program_of_the_unit_can_be_vouched_for(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL, SERVICE: "[Service]\nExecStartPost=/opt/x.py\n"})
    assert gateway.said() == []
    gateway.write(**{SERVICE: "[Service]\nExecStartPost=$LOADER\n"})
    (sentence,) = gateway.said()
    assert sentence.endswith(
        "; move these peers into [WireGuardPeer] sections; if it sets no peers, write above it the line "
        "`# vpnops.keys: sets no peers`."
    )


def test_a_file_that_systemd_networkd_cannot_read_does_not_count(gateway: Gateway) -> None:
    key = gateway.path("etc/wg0.key")
    key.write_text(f"{PSK}\n")
    gateway.write(**{MAIN: TYPICAL.replace("ListenPort", f"PrivateKeyFile={key}\nListenPort")})
    assert gateway.said() == []
    gateway.path(MAIN).chmod(0o040)
    key.chmod(0o004)
    if os.getuid() == 0:  # others cannot read it either, then
        first, second = gateway.said()
        assert first.startswith(f"/{MAIN}, which systemd-networkd cannot read, so what is stored here would be lost")
        assert first.endswith("let it belong to root:systemd-network, with mode 0640.")
        what = "which holds the private key of wg0 and which systemd-networkd cannot read"
        assert second.startswith(f"/etc/wg0.key, {what}, so")


SECRETS = {"private key": ("ListenPort", "PrivateKeyFile={}\nListenPort"), "preshared key": (f"={PSK}", "File={}")}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    ("place", "content", "words"),
    [
        ("etc/k", "{key}\n", ""),
        ("etc/k", "", "does not take for a key"),
        ("etc/k", "{key}\n{key}\n", "does not take for a key"),
        ("etc/k", "not a key", "does not take for a key"),
        ("closed/k", "{key}\n", "cannot read"),
        ("root/k", "{key}\n", "cannot read"),
        ("run/k", "{key}\n", "is a file that a reboot removes"),
        ("linked/k", "{key}\n", "is a file that a reboot removes"),
    ],
)
def test_a_file_with_a_secret_has_to_serve_the_service_after_a_boot(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, secret: str, place: str, content: str, words: str
) -> None:
    monkeypatch.setattr(networkd, "PROTECTED", (f"{gateway.root}/root/",))
    gateway.path("run/k").write_text("")
    (gateway.root / "linked").symlink_to(gateway.root / "run")
    gateway.path(place).write_text(content.format(key=PSK))
    if place.startswith("closed"):
        gateway.path(place).parent.chmod(0o067)  # its owner, which stands for the service, cannot pass
    old, new = SECRETS[secret]
    gateway.write(**{MAIN: TYPICAL.replace(old, new.format(gateway.path(place)), 1)})
    found = [sentence for sentence in gateway.said() if f" {secret} " in sentence]
    assert len(found) == bool(words), gateway.said()
    assert all(words in sentence for sentence in found)


def test_without_a_private_key_nothing_comes_up(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL.replace(f"PrivateKey={raw_key('secret')}\n", "")})
    assert any("which gives no private key, so systemd-networkd ignores all of it" in one for one in gateway.said())


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({MAIN: TYPICAL + "# long\n" * 50_000}, f"{MAIN}, line 3"),
        (
            {MAIN: TYPICAL.replace("Name = wg0\n", ""), f"{MAIN}.d/a.conf": "[NetDev]\nName=wg0\n"},
            f"{MAIN}.d/a.conf, line 2",
        ),
    ],
    ids=["a long file", "a drop-in"],
)
def test_beside_wg_quick_every_file_that_sets_it_up_is_named(
    gateway: Gateway, files: dict[str, str], line: str
) -> None:
    gateway.write(**files, **{"etc/wireguard/wg0.conf": f"[Interface]\nPrivateKey = {raw_key('secret')}\n"})
    (sentence,) = gateway.said()
    assert sentence.startswith(f"/{line} lets systemd-networkd set up wg0 with peers of its own, so")
    assert f"; remove /{MAIN}, so that wg-quick alone sets up wg0 (or" in sentence


def test_a_new_private_key_is_not_written_where_a_reboot_removes_it(gateway: Gateway) -> None:
    key = gateway.path("run/k")
    key.write_text(f"{PSK}\n")
    gateway.path("etc/k").symlink_to(key)
    gateway.write(**{MAIN: TYPICAL.replace("ListenPort", f"PrivateKeyFile={gateway.path('etc/k')}\nListenPort")})
    with pytest.raises(VpnKeysError, match="is a file that a reboot removes"):
        gateway.record().write_secret(raw_key("other"))
    assert key.read_text() == f"{PSK}\n"


def test_a_second_interface_must_not_be_set_up_by_systemd_networkd(gateway: Gateway) -> None:
    gateway.write(**{MAIN: TYPICAL, "etc/systemd/network/10-wg0.network": "[Match]\nName=wg0\n"})
    record = gateway.record()
    assert record.backend.in_the_way(record, "wg0b") == []
    gateway.write(**{"usr/lib/systemd/network/99.network": "[Match]\nName=wg*\n"})
    (sentence,) = record.backend.in_the_way(record, "wg0b")
    assert "/99.network, line 2 is for wg0b, too" in sentence
    gateway.write(**{MAIN: TYPICAL.replace("ListenPort", "RouteTable=77\nListenPort")})
    record = gateway.record()
    assert "RouteTable or FirewallMark" in record.backend.in_the_way(record, "wg0b")[0]


# ---- beside the real one

ANSWERS = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))


def clamped(secret: str) -> str:
    """A private key as the kernel has it."""
    first, *middle, last = base64.b64decode(secret)
    return base64.b64encode(bytes([first & 248, *middle, last & 127 | 64])).decode()


@pytest.mark.parametrize("name", ANSWERS["cases"])
def test_it_brings_up_what_the_real_one_did(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Recorded from systemd-networkd on a kernel with WireGuard: the same peers, or a refusal."""
    case: dict[str, Any] = ANSWERS["cases"][name]
    unreadable = {str(gateway.root / path) for path, file in case["files"].items() if not file["readable"]}
    monkeypatch.setattr(networkd, "_readable", lambda path: path not in unreadable)
    for path, file in case["files"].items():
        if file["text"] is None:
            gateway.path(path).symlink_to("/dev/null")
        else:
            gateway.write(**{path: file["text"].replace("{root}", str(gateway.root))})
    assert case["refused"] in gateway.refusal()
    if not case["refused"]:
        assert gateway.refusal() == ""
        record = gateway.record()
        assert {key: value for block in record.blocks for key, value in told(block)} == case["peers"]
        assert clamped(record.secret()) == case["secret"]


def told(block: sections.Block) -> Iterator[tuple[str, list[Any]]]:
    """What a section says of a peer, as it was recorded."""
    if block.kind in (sections.PEER, sections.STAGED):
        networks, keepalive = sorted(sections.networks(block)), sections.keepalive(block) or 0
        what = [sections.preshared_key(block), sections.value(block, "endpoint"), networks, keepalive]
        yield sections.public_key(block).text, what
