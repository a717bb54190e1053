# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scrapli's AsyncIOSXEDriver on its asyncssh transport."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from scrapli.driver.core import AsyncIOSXEDriver  # type: ignore[import-not-found,unused-ignore]

from . import job


async def compare(devices: Sequence[job.Device]) -> bool:
    """The four shows of everybody."""
    gate = asyncio.Semaphore(job.AT_ONCE)

    async def one(device: job.Device) -> job.Seen:
        async with (
            gate,
            AsyncIOSXEDriver(
                host=device.host,
                port=device.port,
                auth_username=device.username,
                auth_password=device.password,
                auth_secondary=device.enable,
                auth_strict_key=False,
                transport="asyncssh",
            ) as driver,
        ):
            return job.read([reply.result for reply in await driver.send_commands(list(job.SHOWS))])

    return job.in_sync(await asyncio.gather(*map(one, devices)))


if __name__ == "__main__":
    job.end(asyncio.run({"compare": compare}[sys.argv[1]](job.devices(sys.argv[2]))))
