# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from integration.control_node import ControlNode
from integration.devices import NAMES, key, spec, unchanged

from lab import Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
KEYS = (
    KeySpec("A", 1),
    KeySpec("B", 2, exportable=False, saved=False),
    KeySpec("C.d-e_f", 3, usage="signature"),
    KeySpec("PAIR", 4, usage="usage"),
    KeySpec("SMALL", 0, bits=1024),
)


def test_every_key_and_one_label(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*(spec(name, name, *KEYS) for name in NAMES), spec("none"))
    tasks = [
        {"name": "all", "vpnops.keys.ios_rsa_key_info": {}},
        {"name": "one", "vpnops.keys.ios_rsa_key_info": {"label": "PAIR"}},
        {"name": "other", "vpnops.keys.ios_rsa_key_info": {"label": "NONE"}},
    ]
    with unchanged(fleet):
        run = control_node(fleet).run(tasks)
    assert run.code == 0, run.output
    assert run.result("all", "none")["rsa_keys"] == []
    for name in NAMES:
        seen = run.result("all", name)["rsa_keys"]
        expected = [
            ("A", "general", 2048, True, True, "private-config", key(1)),
            ("B", "general", 2048, False, None, "not specified", key(2)),
            ("C.d-e_f", "signature", 2048, True, True, "private-config", key(3)),
            ("PAIR", "signature", 2048, True, True, "private-config", key(4)),
            ("PAIR", "encryption", 2048, True, True, "private-config", key(5)),
            ("SMALL", "general", 1024, True, True, "private-config", key(0, 1024)),
        ]
        fields = ("label", "usage", "size", "exportable", "saved", "storage")
        assert [tuple(one[field] for field in fields) for one in seen] == [one[:6] for one in expected]
        assert [one["fingerprint"] for one in seen] == [one[6].fingerprint for one in expected]
        for one, wanted in zip(seen, expected, strict=True):
            public = load_pem_public_key(one["public_key"].encode())
            assert public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == wanted[6].spki
            assert one["generated"].startswith(str(one["generated"])[:8])
            assert " UTC " in one["generated"]
        assert run.result("one", name)["rsa_keys"] == seen[3:5]
        assert run.result("other", name)["rsa_keys"] == []
        assert not run.changed("all", name)
        assert fleet[name].temporary, "there was nothing to leave out"


def test_only_looking_is_sent(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("ks1", "xe17", *KEYS, login_privilege=1))
    assert control_node(fleet).run([{"vpnops.keys.ios_rsa_key_info": {}}], "--check").code == 0
    commands = [line for line in fleet["ks1"].commands() if not line.startswith("terminal ")]
    assert commands == ["enable", "show crypto key mypubkey rsa"]
    assert fleet["ks1"].sessions == 1


def test_a_device_that_fails_does_not_stop_the_others(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(
        spec("good", "ios15", *KEYS),
        spec("closed", faults={"closed": True}),
        spec("low", "xe16", *KEYS, login_privilege=7, enable=None),
        spec("drops", "xe16", *KEYS, faults={"cut": "mypubkey"}),
        spec("hangs", "xe16", *KEYS, faults={"cut": {"at": "mypubkey", "do": "hang"}}),
    )
    node = control_node(fleet)
    node.shared["ansible_command_timeout"] = 2
    run = node.run([{"vpnops.keys.ios_rsa_key_info": {"label": "A"}}])
    assert run.code != 0
    assert len(run.result("info", "good")["rsa_keys"]) == 1
    assert {name: run.error("info", name)[0] for name in ("closed", "low", "drops", "hangs")} == {
        "closed": "unreachable",
        "low": "no_privilege",
        "drops": "session_lost",
        "hangs": "timeout",
    }
    assert run.status("info", "closed") == "unreachable"
    assert "privilege level 7 is not enough" in run.error("info", "low")[1]
    for name in ("closed", "low", "drops", "hangs"):
        assert run.error("info", name)[1].startswith(f"{name}: ")
