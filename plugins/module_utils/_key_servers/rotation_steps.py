# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the rotation of a live group, and what is said of each; how it is carried out is in `rotate.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Step(ABC):
    """One step. The same one may be taken again, and does no harm then."""

    @abstractmethod
    def describe(self) -> str:
        """As a sentence, when it is done."""


@dataclass(frozen=True)
class Prepare(Step):
    """Have the same exportable key under the new label on all key servers, saved; `hosts` lack something of it."""

    label: str
    hosts: tuple[str, ...]

    def describe(self) -> str:
        return f"The key {self.label} is imported to {', '.join(self.hosts)} and saved."


@dataclass(frozen=True)
class Switch(Step):
    """Configure the label for rekey authentication, in this order, without any delay between the hosts."""

    hosts: tuple[str, ...]
    label: str

    def describe(self) -> str:
        return f"The label is changed to {self.label} on {', '.join(self.hosts)}."


@dataclass(frozen=True)
class Save(Step):
    """Write the startup configuration: a reload would bring another label back than the others have."""

    hosts: tuple[str, ...]

    def describe(self) -> str:
        return f"The configuration is saved on {', '.join(self.hosts)}."


@dataclass(frozen=True)
class Rekey(Step):
    """Send a rekey of the group now."""

    host: str
    replace_now: bool = False

    def describe(self) -> str:
        return f"A rekey is sent from {self.host}{', which ends the keys in use at once' if self.replace_now else ''}."


@dataclass(frozen=True)
class Remove(Step):
    """Remove the key of this label, which no group names, and save."""

    hosts: tuple[str, ...]
    label: str

    def describe(self) -> str:
        return f"The key {self.label} is removed on {', '.join(self.hosts)}."
