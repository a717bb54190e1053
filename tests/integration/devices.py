# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests ask simulated devices, and the devices they ask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields

from lab import DeviceSpec, GroupSpec, KeySpec
from lab.device import Device
from lab.keys import RsaKey, pool_key
from lab.pem import private_pem, public_pem
from lab.personality import PERSONALITIES, Personality, choices

NAMES = tuple(PERSONALITIES)
LABEL = "REKEY"
PASSPHRASE = "correct-horse.9-battery"
Held = dict[str, tuple[str, bool, bool]]

SAFE = re.compile(
    r"""(?:enable|end|configure[ ]terminal|write[ ]memory|quit|
        terminal[ ](?:length[ ]0|width[ ]\d+|no[ ]monitor)|
        show[ ](?:privilege|version|(?:running|startup)-config.*)|
        show[ ](?:crypto[ ]key[ ]mypubkey[ ]rsa|crypto[ ](?:gdoi|gkm)[ ]ks[ ][a-z]+)|
        crypto[ ](?:gdoi|gkm)[ ]group[ ]\S+|server[ ]local|rekey[ ]authentication[ ]mypubkey[ ]rsa[ ]\S+|
        crypto[ ](?:gdoi|gkm)[ ]ks[ ]rekey[ ]group[ ]\S+([ ]replace-now)?|
        do[ ]show[ ]crypto[ ]key[ ]mypubkey[ ]rsa|
        crypto[ ]key[ ]generate[ ]rsa[ ](?:general-keys|signature|encryption)[ ]label[ ](?P<made>\S+)([ ]exportable)?|
        crypto[ ]key[ ]zeroize[ ]rsa[ ]\S+|
        crypto[ ]key[ ]export[ ]rsa[ ]\S+[ ]pem[ ]terminal[ ](?:3des|des|aes)[ ](?P<out>[A-Za-z0-9]{32})|
        crypto[ ]key[ ]import[ ]rsa[ ]\S+[ ][a-z ]+[ ](?P<in>[A-Za-z0-9]{32})([ ]exportable)?
        )?\Z""",
    re.VERBOSE,
)
"""Every command line there is. Not among them: `modulus`, zeroize without a label, pieces of a PEM."""


def assert_spared(device: Device) -> None:
    """The device got no command but those, and the simulator did not break."""
    for line in device.commands():
        assert SAFE.match(line), f"{device.name} got {line!r}"
    assert not device.crashes, f"{device.name}: {device.crashes!r}"


def one_time_passphrases(devices: Iterable[Device]) -> set[str]:
    """All that were sent to the devices."""
    found = (SAFE.match(line) for device in devices for line in device.commands())
    return {one[name] for one in found if one for name in ("out", "in") if one[name]}


def writes(device: Device) -> list[str]:
    """The commands that change something, without their passphrases."""
    lines = [line for line in device.commands() if re.match(r"crypto key (?:generate|import|zeroize)|write", line)]
    return [re.sub(r"\b[A-Za-z0-9]{32}\b", "PASS", line) for line in lines]


def held(device: Device) -> Held:
    """Per label: fingerprint, exportable, saved."""
    return {label: (key.fingerprint, key.exportable, key.saved) for label, key in device.keys.items()}


def after_reload(device: Device) -> dict[str, str]:
    """Per label the fingerprint that a reload would leave."""
    return {label: key.fingerprint for label, key in device.nvram.keys.items()}


@contextmanager
def unchanged(devices: Iterable[Device]) -> Iterator[None]:
    """No key of any device differs afterwards, neither in memory nor in NVRAM."""
    before = [(device, held(device), after_reload(device)) for device in devices]
    yield
    for device, keys, stored in before:
        assert held(device) == keys, device.name
        assert after_reload(device) == stored, device.name


def key(number: int, bits: int = 2048) -> RsaKey:
    """The key that KeySpec("...", number, bits) puts on a device."""
    return pool_key(bits, number)


def encrypted_pem(one: RsaKey, passphrase: str = PASSPHRASE, cipher: str = "3des") -> str:
    """Public and private PEM as a device exports them."""
    return public_pem(one) + private_pem(one, cipher, passphrase)[0]


def variants(personality: str) -> dict[str, dict[str, object]]:
    """Switches that make a device of this personality behave otherwise: one for every value of every switch."""
    base = PERSONALITIES[personality]
    switches = [one.name for one in fields(Personality) if one.name not in NOT_FOR_KEYS]
    return {
        f"{switch}-{value}".lower().replace("_", "-"): {switch: value}
        for switch in switches
        for value in choices(switch)
        if value != getattr(base, switch)
    } | {
        "small-typeahead": {"typeahead_limit": 64},
        "slow-background": {"background_seconds": 1.5},
    }


NOT_FOR_KEYS = frozenset(("ssh_needs_rsa_key",))
"""Without a key such a device cannot be reached: where keys are made it is tested on its own."""


def spec(name: str, personality: str = "ios15", *keys: KeySpec, **more: object) -> DeviceSpec:
    """A device without groups. Every one has an address of its own, which nothing uses."""
    return DeviceSpec(name, personality, keys=keys, **more)  # type: ignore[arg-type]


def group_of(
    *devices: tuple[str, str, tuple[KeySpec, ...]], name: str = "GETVPN", identity: int = 1, label: str = LABEL
) -> list[DeviceSpec]:
    """Key servers of one group, the first with the highest priority: (name, personality, keys)."""
    addresses = [f"10.0.{identity}.{number + 1}" for number in range(len(devices))]
    return [
        DeviceSpec(
            host,
            personality,
            address,
            keys=keys,
            groups=[GroupSpec(name, identity, label, 100 - number, [a for a in addresses if a != address], members=2)],
        )
        for number, ((host, personality, keys), address) in enumerate(zip(devices, addresses, strict=True))
    ]
