# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many devices in one process, on one event loop."""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import asyncssh

from . import inventory
from .coop import Coop
from .device import Device
from .keys import KeySource, pool_key, pool_size
from .pem import plain_pem
from .running import Running
from .server import DeviceServer
from .spec import DeviceSpec, check

_HOST_KEY_POOL = 2048


class Lab:
    """The devices of a lab file; those in `served` (None: all) listen in this process, the others are known of.

    `speed`: of running groups, see running.py; None: groups stand still.
    """

    def __init__(
        self,
        specs: Sequence[DeviceSpec],
        host: str = "127.0.0.1",
        host_key: asyncssh.SSHKey | None = None,
        served: Sequence[str] | None = None,
        slice_of: tuple[int, int] = (0, 1),
        speed: float | None = None,
    ) -> None:
        check(specs)
        self.host = host
        self._host_key = host_key
        taken = {(key.bits, key.pool + second) for spec in specs for key in spec.keys for second in (0, 1)}
        taken.add((_HOST_KEY_POOL, pool_size(_HOST_KEY_POOL) - 1))
        source = KeySource(frozenset(taken), slice_of)
        self.coop = Coop()
        self.devices: dict[str, Device] = {}
        for index, spec in enumerate(specs):
            device = Device(spec, source, self.coop, index)
            if spec.groups:
                self.coop.add(device)
            if served is None or spec.name in served:
                self.devices[spec.name] = device
        if speed is not None:
            self.coop.running = Running(self.coop, speed)

    @property
    def host_key(self) -> asyncssh.SSHKey:
        """The host key of all devices."""
        return self._host_key or default_host_key()

    async def start(self) -> None:
        """Listen, all of them."""
        _raise_file_limit()
        self._servers = [DeviceServer(device, self.host_key) for device in self.devices.values()]
        for server in self._servers:
            await server.start(self.host)
        self.coop.elect()

    async def stop(self) -> None:
        """Close everything."""
        for server in self._servers:
            await server.stop()


class Fleet:
    """A lab in a background thread, for tests: `with Fleet([DeviceSpec("ks1")]) as fleet: fleet["ks1"].port`."""

    def __init__(
        self,
        specs: Sequence[DeviceSpec],
        host: str = "127.0.0.1",
        host_key: asyncssh.SSHKey | None = None,
        speed: float | None = None,
    ) -> None:
        self._specs, self._host, self._host_key, self._speed = tuple(specs), host, host_key, speed

    def __enter__(self) -> Fleet:
        self._lab = Lab(self._specs, self._host, self._host_key, speed=self._speed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._lab.start(), self._loop).result(60)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._lab.stop(), self._loop).result(60)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def __getitem__(self, name: str) -> Device:
        return self._lab.devices[name]

    def __iter__(self) -> Iterator[Device]:
        return iter(self._lab.devices.values())

    def __len__(self) -> int:
        return len(self._lab.devices)

    @property
    def host_key(self) -> asyncssh.SSHKey:
        """The host key of all devices."""
        return self._lab.host_key

    def inventory(self) -> dict[str, Any]:
        """A plain network_cli-style Ansible inventory."""
        return inventory.inventory([(device.spec, device.host, device.port) for device in self])

    def write_inventory(self, path: Path | str) -> Path:
        """Write the inventory as YAML."""
        return inventory.write(path, self.inventory())

    def known_hosts(self) -> str:
        """The lines for a known_hosts file."""
        return inventory.known_hosts([(device.spec, device.host, device.port) for device in self], self.host_key)


@lru_cache(maxsize=1)
def default_host_key() -> asyncssh.SSHKey:
    """The host key of a lab that has no directory: shipped, hence the same everywhere and worth nothing."""
    return asyncssh.import_private_key(plain_pem(pool_key(_HOST_KEY_POOL, pool_size(_HOST_KEY_POOL) - 1)))


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
