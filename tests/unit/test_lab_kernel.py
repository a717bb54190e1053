# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab of virtual machines works out without a machine: networks, command lines, what they run by."""

from __future__ import annotations

import io
import sys
import tarfile
import time
from pathlib import Path

import pytest

from lab.gateways import GatewayLabError, inventory, machine, wireguard
from lab.kernel import accelerate, machines, plan, words
from lab.kernel.plan import KernelPlan

ROOT = Path(__file__).parents[2]
IMAGES, HOME = Path("/images"), Path("/home")


def made(accelerator: str = "uml", **more: str) -> KernelPlan:
    some = plan.suites(3, ("bookworm", "trixie"))
    return KernelPlan("vk7", 3, suites=some, accelerator=accelerator, **more)  # type: ignore[arg-type]


# -- plan


def test_releases_come_in_turn() -> None:
    assert plan.suites(3, ("bookworm", "trixie")) == ("bookworm", "trixie", "bookworm")
    assert made().suite(2) == "trixie"


def test_what_is_behind_a_gateway_is_reached_through_the_tunnel() -> None:
    conf = wireguard.configure(made())[1]["etc/wireguard/wg0.conf"][1]
    assert "Address = 10.78.0.1/24" in conf
    assert "AllowedIPs = 10.79.2.0/24" in conf
    assert made().address(2) == "10.79.2.1"


def test_ssh_has_a_network_of_its_own(tmp_path: Path) -> None:
    host = inventory.inventory(made(), tmp_path, "x")["gateways"]["hosts"]["gw2"]
    assert "nsenter --net=/run/netns/vk7-sw nc 10.76.0.2 22" in host["ansible_ssh_extra_args"]
    assert host["gateway_networks"] == ["10.79.2.0/24"]


def test_every_cable_has_a_place_and_one_name() -> None:
    cables = list(plan.cables(made()))
    assert len(set(cables)) == len(cables) == 3 * 5 + 3
    switch = "\n".join(plan.switch(made()))
    for namespace, name in cables:
        assert f" {name} " in switch
        assert namespace.startswith("vk7-")
        assert len(name) <= 15
    assert "link set gw3 master wan" in switch


def test_a_guest_knows_its_interfaces_by_the_addresses_that_it_gets() -> None:
    script = (ROOT / "tests/lab/kernel/guest/lab-identity").read_text(encoding="utf-8")
    assert "52:54:00:77:%02x:%02x" in script
    assert plan.mac(2, 17) == "52:54:00:77:02:11"
    for side, address in enumerate(("10.76.0.$number/24", "10.77.0.$number/24", "10.79.$number.254/24")):
        assert f'network {side} "{address}"' in script
    assert "default via 10.79.3.254" in "\n".join(plan.behind(made(), 3))


# -- command lines


def test_user_mode_linux_writes_beside_the_disk_of_its_release() -> None:
    line = words.start(made(), 2, IMAGES, HOME)
    assert line[0] == "/images/uml/linux"
    assert "ubd0=/home/gw2.cow,/images/trixie/disk.raw" in line
    assert "vec1:transport=tap,ifname=gw2,depth=128,gro=0,mac=52:54:00:77:01:02" in line
    assert words.disk(made(), 2, IMAGES, HOME) == []


@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
def test_qemu_starts_the_kernel_of_the_release(accelerator: str) -> None:
    line = words.start(made(accelerator), 2, IMAGES, HOME)
    assert f"microvm,accel={accelerator}" in line
    assert "/images/trixie/vmlinuz" in line
    assert line[line.index("-append") + 1].endswith("lab.number=2")
    assert "/images/trixie/disk.raw" in words.disk(made(accelerator), 2, IMAGES, HOME)
    assert sum("mac=52:54:00:77:" in word for word in line) == len(plan.SIDES)


def test_files_arrive_with_their_modes() -> None:
    packed = machines.archive({"etc/wireguard/wg0.conf": (0o600, "[Interface]\n")})
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        (member,) = tar.getmembers()
        assert (member.name, member.mode, member.uid, member.size) == ("etc/wireguard/wg0.conf", 0o600, 0, 12)


# -- what they run by


@pytest.mark.parametrize(
    ("kvm", "uml", "qemu", "best"),
    [(True, True, True, "kvm"), (False, True, True, "uml"), (False, False, True, "tcg"), (False, True, False, "uml")],
)
def test_the_best_that_works(monkeypatch: pytest.MonkeyPatch, kvm: bool, uml: bool, qemu: bool, best: str) -> None:
    _here(monkeypatch, kvm, uml, qemu)
    assert accelerate.chosen() == best


def test_a_wish_is_granted_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _here(monkeypatch, False, True, True)
    assert accelerate.chosen("tcg") == "tcg"
    monkeypatch.setenv(accelerate.CHOICE, "tcg")
    assert accelerate.chosen() == "tcg"
    with pytest.raises(GatewayLabError, match="kvm does not work here"):
        accelerate.chosen("kvm")


def test_without_anything_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _here(monkeypatch, False, False, False)
    monkeypatch.setattr(accelerate, "IMAGES", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert "scripts/kernel-images" in accelerate.available()
    for suite in ("bookworm", "trixie"):
        (tmp_path / suite).mkdir()
        (tmp_path / suite / "disk.raw").touch()
    monkeypatch.setattr(machine, "lacking", lambda who: "")
    assert accelerate.available().startswith("Neither KVM nor user-mode Linux nor qemu runs here")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "need root" in accelerate.available()


def test_kvm_is_not_believed_without_the_words_of_a_kernel() -> None:
    def python(text: str) -> list[str]:
        return [sys.executable, "-c", text]

    firmware = "import time; print('Probing EDD... ok', flush=True); time.sleep(60)"
    began = time.monotonic()
    assert not accelerate.prints(python(firmware), accelerate.FIRST_WORDS, 0.5)
    assert not accelerate.prints(python("print('Probing EDD... ok')"), accelerate.FIRST_WORDS, 20)
    assert accelerate.prints(python("print('[0.0] Linux version 6.12')"), accelerate.FIRST_WORDS, 20)
    assert time.monotonic() - began < 20


def _here(monkeypatch: pytest.MonkeyPatch, kvm: bool, uml: bool, qemu: bool) -> None:
    monkeypatch.delenv(accelerate.CHOICE, raising=False)
    monkeypatch.setattr(accelerate, "kvm_works", lambda: kvm)
    monkeypatch.setattr(accelerate, "uml_is_there", lambda: uml)
    monkeypatch.setattr(accelerate, "qemu_is_there", lambda: qemu)
