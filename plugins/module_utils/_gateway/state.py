# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must outlive a reboot: the keys that wait or have been replaced, and how far a change has come. PRIVATE.

One directory per daemon, which only root can look into. The keys lie in it in the form in which the daemon wants them.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass

from . import files

ROOT = "/var/lib/vpnops.keys"

ACTIVATING, ACTIVE, CONFIRMED = "activating", "active", "confirmed"
ROLLED_BACK, FAILED = "rolled_back", "failed"


@dataclass(frozen=True)
class Journal:
    """The last change of the own key: its step, when it was entered, until when it waits for confirmation.

    Times are Unix seconds. `key`: fingerprint of the key that was put into use. `error`: one sentence, of a failure.
    `began`: when its first step was entered.
    """

    step: str
    key: str
    at: float
    deadline: float
    error: str = ""
    began: float = 0


class State:
    """The state directory of one daemon, `name` telling it from others on the host."""

    def __init__(self, name: str, root: str = ROOT) -> None:
        self.path = os.path.join(root, name)

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    @property
    def pending(self) -> str:
        """The private key that waits to be used."""
        return self.file("pending.key")

    @property
    def previous(self) -> str:
        """The private key that was replaced."""
        return self.file("previous.key")

    def read(self, path: str) -> str | None:
        return files.read(path)

    def write(self, path: str, text: str) -> None:
        files.private_directory(self.path)
        files.write(path, text)

    def journal(self) -> Journal | None:
        text = files.read(self.file("change.json"))
        return Journal(**json.loads(text)) if text else None

    def note(self, step: str, key: str, deadline: float = 0, error: str = "") -> None:
        now, before = time.time(), self.journal()
        began = now if step == ACTIVATING or before is None else before.began
        entry = Journal(step, key, now, deadline, error, began)
        self.write(self.file("change.json"), json.dumps(asdict(entry)) + "\n")

    def forget(self) -> None:
        files.remove(self.file("change.json"))
