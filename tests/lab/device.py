# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one simulated router: keys, configuration, NVRAM, log. No network here."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from . import config as configs
from .config import Config
from .faults import Faults
from .keys import KeySource, RsaKey, generate, pool_key, pool_size
from .personality import Personality, personality
from .spec import DeviceSpec, KeySpec

if TYPE_CHECKING:
    from .coop import Coop
    from .shell import Shell

USAGES = {
    "general": ("General Purpose",),
    "signature": ("Signature",),
    "encryption": ("Encryption",),
    "usage": ("Signature", "Encryption"),
}
Usage = Literal["General Purpose", "Signature", "Encryption"]


class Part(NamedTuple):
    """One key pair under a label; usage keys have two."""

    usage: str
    key: RsaKey
    created: datetime


@dataclass(frozen=True)
class StoredKey:
    """What a device holds under a label. Never changed in place, so that tests may read it at any time."""

    label: str
    parts: tuple[Part, ...]
    exportable: bool
    saved: bool = False
    booted: bool = False
    """Read from NVRAM at the last boot: some releases show only then that a key is saved."""

    @property
    def key(self) -> RsaKey:
        """The (first) key pair."""
        return self.parts[0].key

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the (first) public key."""
        return self.key.fingerprint

    @property
    def bits(self) -> int:
        """Size of the (first) key."""
        return self.key.bits

    @property
    def usage(self) -> str:
        """Usage of the (first) key, in IOS's words."""
        return self.parts[0].usage


@dataclass
class Nvram:
    """What survives a reload."""

    keys: dict[str, StoredKey]
    config: Config | None


class LogEntry(NamedTuple):
    """A line the device received. `kind`: command, answer, paste or password (whose text is masked)."""

    time: float
    session: int
    mode: str
    kind: str
    text: str


class Device:
    """One simulated router. Read it from any thread; change it only through its own methods."""

    def __init__(self, spec: DeviceSpec, source: KeySource, coop: Coop, index: int = 0) -> None:
        self.spec, self.source, self.coop, self.index = spec, source, coop, index
        self.personality: Personality = personality(spec.personality, spec.overrides)
        self.faults: Faults = Faults().changed(spec.faults)
        self.port = 0
        self.host = ""
        self.alive = True
        self.log: deque[LogEntry] = deque(maxlen=50_000)
        self.sessions = 0
        self.logins = 0
        self.saves = 0
        self.output_bytes = 0
        self.shells: dict[int, Shell] = {}
        self.files: dict[str, str] = {}
        self.clock_offset = timedelta()
        self.tasks: set[asyncio.Task[None]] = set()
        self.crashes: list[BaseException | None] = []
        self.on_fault: Callable[[], None] = lambda: None
        self.on_reload: Callable[[float], None] = lambda seconds: None
        self.config: Config = configs.from_spec(spec)
        self.keys: dict[str, StoredKey] = {}
        self.temporary: StoredKey | None = None
        self._boot()
        for given in spec.keys:
            self.keys[given.label] = _given(given, self.now())
        saved = {label: key for label, key in self.keys.items() if key.saved}
        self.nvram = Nvram(saved, self.config.copy() if spec.saved_config else None)
        self._start_ssh(log=False)
        # group members keep the public key they got at registration, whatever happens to this router
        self.registered_key = {
            group.name: self.keys[group.label].fingerprint if group.label in self.keys else ""
            for group in self.config.groups.values()
        }

    @property
    def name(self) -> str:
        """Its name in the lab file and the inventory (the host name may be changed on the device)."""
        return self.spec.name

    def _boot(self) -> None:
        self.started = time.monotonic()
        self.messages: deque[str] = deque(maxlen=500)
        self.rekeys: dict[str, int] = {}
        self.missed: dict[str, int] = {}
        self.dirty = False

    # -- time and log
    def now(self) -> datetime:
        """The device's clock (UTC)."""
        return datetime.now(timezone.utc) + self.clock_offset

    def uptime(self) -> float:
        """Seconds since the last reload."""
        return time.monotonic() - self.started

    def received(self, session: int, mode: str, kind: str, text: str) -> None:
        """Note a line that came in."""
        self.log.append(LogEntry(time.monotonic(), session, mode, kind, "********" if kind == "password" else text))

    def commands(self) -> list[str]:
        """The commands received so far."""
        return [entry.text for entry in list(self.log) if entry.kind == "command"]

    def syslog(self, message: str) -> None:
        """A system message: into the buffer, and to every session with `terminal monitor`."""
        stamped = f"*{self.now().strftime('%b %e %H:%M:%S')}.{self.now().microsecond // 1000:03d}: {message}"
        self.messages.append(stamped)
        for shell in list(self.shells.values()):
            if shell.monitor:
                shell.interrupt(stamped)

    def say_log(self, name: str, /, **values: object) -> None:
        """One of the system messages of texts.py."""
        self.syslog(self.personality.text(name, **values))

    # -- keys
    async def make_key(self, bits: int) -> RsaKey:
        """A new key pair. From the pool, and after that really generated."""
        key = self.source.from_pool(bits)
        return key if key is not None else await asyncio.to_thread(generate, bits)

    def store(self, key: StoredKey, who: str = "crypto-engine") -> None:
        """Put a key under its label, in place of whatever was there."""
        keys = dict(self.keys)
        keys.pop(key.label, None)
        self.keys = {**keys, key.label: key}
        self.dirty = True
        self.say_log("log_key_added", label=key.label, who=who)
        self._start_ssh()

    def change(self, label: str, **values: Any) -> None:
        """Change a property of a stored key."""
        self.keys = {**self.keys, label: replace(self.keys[label], **values)}

    def remove(self, label: str) -> None:
        """Zeroize one label."""
        self.keys = {name: key for name, key in self.keys.items() if name != label}
        self.dirty = True
        self.say_log("log_key_deleted", label=label)
        if self.personality.zeroize_nvram == "at_once":
            self.nvram.keys = {name: key for name, key in self.nvram.keys.items() if name != label}
        if self.temporary and self.temporary.label == f"{label}.server":
            self.temporary = None
            if not self.keys:
                self.say_log("log_ssh_disabled", version=self.personality.ssh_banner_version)
            self._start_ssh()

    def shown_keys(self) -> Iterator[StoredKey]:
        """What `show crypto key mypubkey rsa` lists, in its order."""
        for label, key in self.keys.items():
            yield key
            if self.temporary and self.temporary.label == f"{label}.server":
                yield self.temporary

    def _start_ssh(self, log: bool = True) -> None:
        """The first RSA key starts SSH, which makes itself a temporary helper key."""
        if self.temporary or not self.keys or not self.personality.helper_key:
            return
        bits = self.personality.helper_bits
        count = pool_size(bits)
        if not count:
            return
        helper = pool_key(bits, (self.index + len(self.messages)) % count)
        first = next(iter(self.keys))
        self.temporary = StoredKey(f"{first}.server", (Part("Encryption", helper, self.now()),), False)
        if log:
            self.say_log("log_ssh_enabled", version=self.personality.ssh_banner_version)

    # -- NVRAM
    def save(self) -> None:
        """Write the configuration, and with it the keys, to NVRAM."""
        self.keys = {label: replace(key, saved=True) for label, key in self.keys.items()}
        self.nvram = Nvram(dict(self.keys), self.config.copy())
        self.saves += 1
        self.dirty = False

    def restart(self) -> None:
        """Come up with what NVRAM holds."""
        self._boot()
        self.keys = {label: replace(key, booted=True) for label, key in self.nvram.keys.items()}
        self.config = self.nvram.config.copy() if self.nvram.config else self._blank()
        self.temporary = None
        for label in self.keys:
            self.say_log("log_key_added", label=label, who="crypto config")
        self._start_ssh()

    def _blank(self) -> Config:
        """A router without a startup configuration that one can still log in to."""
        spec = self.spec
        return Config("Router", enable=spec.enable, users={spec.username: (spec.password, spec.login_privilege)})

    def reload(self, seconds: float | None = None) -> None:
        """Drop all sessions, be away for `seconds` (None: the lab file's `reload_seconds`), come back from NVRAM."""
        self.on_reload(self.spec.reload_seconds if seconds is None else seconds)

    # -- faults
    def set_fault(self, **values: Any) -> None:
        """Set faults, by name. ValueError for an unknown one."""
        if "drop_after_bytes" in values:
            self.output_bytes = 0
        self.faults = self.faults.changed(values)
        self.on_fault()

    def clear_faults(self) -> None:
        """A healthy device again."""
        self.faults = Faults()
        self.on_fault()

    # -- GET VPN
    def key_of(self, group: configs.Group) -> StoredKey | None:
        """The key a group signs its rekeys with, if it is there."""
        return self.keys.get(group.label)

    def members(self, group: str) -> int:
        """How many group members are registered here."""
        return next((given.members for given in self.spec.groups if given.name == group), 0)

    def state(self) -> dict[str, Any]:
        """What `python -m lab state` shows."""
        return {
            "name": self.name,
            "port": self.port,
            "alive": self.alive,
            "sessions": self.sessions,
            "logins": self.logins,
            "open": len(self.shells),
            "saves": self.saves,
            "keys": [
                {
                    "label": key.label,
                    "bits": key.bits,
                    "usage": key.usage,
                    "exportable": key.exportable,
                    "saved": key.saved,
                    "fingerprint": key.fingerprint,
                }
                for key in self.keys.values()
            ],
        }


def _given(given: KeySpec, now: datetime) -> StoredKey:
    parts = []
    for position, usage in enumerate(USAGES[given.usage]):
        parts.append(Part(usage, pool_key(given.bits, given.pool + position), now))
    return StoredKey(given.label, tuple(parts), given.exportable, given.saved, booted=given.saved)
