# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steering a running lab: JSON lines over a unix socket.

Request: {"do": "state" | "set" | "clear" | "reload" | "log" | "move" | "ping", "name": DEVICE or "all",
"values": {...}}. Answer: {"ok": true, "result": ...} or {"ok": false, "error": "one sentence"}. A lab of several
processes has one socket each; the first, control.sock, passes on what is not its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .device import Device


def socket_path(directory: Path, process: int) -> Path:
    """The socket of process number `process`."""
    return directory / ("control.sock" if process == 0 else f"control-{process}.sock")


async def serve(
    path: Path, devices: Mapping[str, Device], elsewhere: Mapping[str, Path] | None = None
) -> asyncio.AbstractServer:
    """Answer requests about `devices`; those about names in `elsewhere` go to the socket given there."""
    others = dict(elsewhere or {})

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                answer = await asyncio.to_thread(_answer, line, devices, others)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    return await asyncio.start_unix_server(client, str(path), limit=1 << 20)


def request(path: Path, **message: Any) -> Any:
    """Ask a running lab. OSError when there is none, ValueError with its words when it refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(60)
        sock.connect(str(path))
        sock.sendall(json.dumps(message).encode() + b"\n")
        with sock.makefile("rb") as stream:
            answer = json.loads(stream.readline())
    if not answer["ok"]:
        raise ValueError(answer["error"])
    return answer["result"]


def _answer(line: bytes, devices: Mapping[str, Device], elsewhere: Mapping[str, Path]) -> dict[str, Any]:
    try:
        message = json.loads(line)
        return {"ok": True, "result": _act(message, devices, elsewhere)}
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        return {"ok": False, "error": str(error) or type(error).__name__}


def _act(message: dict[str, Any], devices: Mapping[str, Device], elsewhere: Mapping[str, Path]) -> Any:
    name, local = message.get("name", "all"), bool(message.get("local"))
    if name in elsewhere:
        return request(elsewhere[name], **{**message, "local": True})
    if name != "all" and name not in devices:
        raise ValueError(f"no device {name!r} in this lab")
    chosen = list(devices.values()) if name == "all" else [devices[name]]
    verb = _VERBS.get(message.get("do", ""))
    if verb is None:
        raise ValueError(f"cannot do {message.get('do')!r}: one of {', '.join(sorted(_VERBS))}")
    result = [verb(device, message.get("values") or {}) for device in chosen]
    if name == "all" and not local:
        for path in sorted(set(elsewhere.values())):
            result += request(path, **{**message, "local": True})
    return result


def _set(device: Device, values: dict[str, Any]) -> None:
    device.set_fault(**values)


def _clear(device: Device, values: dict[str, Any]) -> None:
    device.clear_faults()


def _reload(device: Device, values: dict[str, Any]) -> None:
    device.reload(values.get("seconds"))


def _move(device: Device, values: dict[str, Any]) -> None:
    """The clock of all running groups that the device has heard of: name one device, not all."""
    if device.coop.running is None:
        raise ValueError("the groups of this lab stand still: give it a speed")
    device.coop.running.move(float(values["seconds"]))


def _log(device: Device, values: dict[str, Any]) -> Sequence[Any]:
    return [[entry.time, entry.session, entry.mode, entry.kind, entry.text] for entry in list(device.log)]


_VERBS = {
    "ping": lambda device, values: device.name,
    "state": lambda device, values: device.state(),
    "set": _set,
    "clear": _clear,
    "reload": _reload,
    "log": _log,
    "move": _move,
}
