# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a synchronization. A step knows all that is said of it; how it is carried out is in `execute.py`.

What carrying out a step does, in this order (a kill may fall between any two of these):

- `Finish(host)`: import the staged key under the label of the same host, then remove the scratch key.
- `Generate(host, scratch)`: make a new exportable key under the label, or under the scratch label.
- `Distribute`: first every host of `missing`, in order: import under the label. Then every host of `replace`,
  in order: have the new key under the scratch label (a different one lying there is removed, an exportable
  equal one is reused, otherwise it is imported, exportable), empty the label, import under the label, remove
  the scratch key. The source may be in `replace`, then last; its own copy is always exportable, the others'
  if `exportable`.
- `Clean(hosts)`: remove the scratch key.
- `Save(hosts)`: write the configuration, and with it the key, to the startup configuration.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar

T = TypeVar("T")
Hosts = tuple[str, ...]


class Hands(Protocol):
    """What a person types, line by line. `scratch`: about the key under the scratch label, not the one of the label."""

    def generate(self, host: str, *, scratch: bool, bits: int, usage: str) -> list[str]:
        """An exportable key."""

    def export_key(self, host: str, *, scratch: bool) -> list[str]:
        """Show it, encrypted."""

    def import_key(self, host: str, *, scratch: bool, exportable: bool) -> list[str]:
        """Paste what was shown last."""

    def remove(self, host: str, *, scratch: bool) -> list[str]:
        """Delete it."""

    def save(self, host: str) -> list[str]:
        """The configuration."""


@dataclass(frozen=True)
class Step(ABC):
    """One step of a plan. Its fields are its form in results and in digests."""

    HALF_DONE: ClassVar[Mapping[str, str]]
    """What is done to a key server, in one word, and with what it is left when it is stopped on the way to that."""

    kind: str = field(default="", init=False)

    @property
    @abstractmethod
    def changes(self) -> Hosts:
        """The key servers that it changes, in this order."""

    @property
    def needs(self) -> Hosts:
        """Those, and the ones that a key is only taken from."""
        return self.changes

    @property
    def fills(self) -> Hosts:
        """Those that have another key under the label afterwards."""
        return ()

    @property
    def replaces(self) -> Hosts:
        """Those whose key under the label goes away."""
        return ()

    @property
    def operations(self) -> int:
        """How many moves on key servers it is."""
        return len(self.changes)

    @property
    def words(self) -> tuple[tuple[str, str], ...]:
        """By key server, the word of `HALF_DONE` that has come true when the step is done."""
        (word,) = self.HALF_DONE
        return tuple((host, word) for host in self.changes)

    @abstractmethod
    def describe(self) -> str:
        """For who reads the plan."""

    @abstractmethod
    def by_hand(self, hands: Hands) -> list[str]:
        """For who carries it out without this collection."""

    def to_result(self) -> dict[str, Any]:
        """Plain data; `from_result` reads it."""
        fields = dataclasses.asdict(self).items()
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}


@dataclass(frozen=True)
class Finish(Step):
    """The label is empty and a staged key is on the same host: put it under the label."""

    HALF_DONE = {
        "finished": "its key was being put in place: {label} may be empty, and the key is ready under {scratch}",
    }
    host: str
    exportable: bool
    kind: Literal["finish"] = field(default="finish", init=False)

    @property
    def changes(self) -> Hosts:
        return (self.host,)

    @property
    def fills(self) -> Hosts:
        return self.changes

    def describe(self) -> str:
        return f"finish the interrupted replacement on {self.host}"

    def by_hand(self, hands: Hands) -> list[str]:
        return [
            *hands.export_key(self.host, scratch=True),
            *hands.import_key(self.host, scratch=False, exportable=self.exportable),
            *hands.remove(self.host, scratch=True),
        ]


@dataclass(frozen=True)
class Generate(Step):
    """Make a new exportable key, under the scratch label if `scratch`, else under the (empty) label."""

    HALF_DONE = {"generated": "a key was being generated"}
    host: str
    scratch: bool
    bits: int
    usage: str
    kind: Literal["generate"] = field(default="generate", init=False)

    @property
    def changes(self) -> Hosts:
        return (self.host,)

    @property
    def fills(self) -> Hosts:
        return () if self.scratch else self.changes

    def describe(self) -> str:
        return f"generate {self.bits} bits on {self.host}" + (" under the scratch label" if self.scratch else "")

    def by_hand(self, hands: Hands) -> list[str]:
        return hands.generate(self.host, scratch=self.scratch, bits=self.bits, usage=self.usage)


@dataclass(frozen=True)
class Distribute(Step):
    """Copy the source's key to others. `fingerprint` is None if a `Generate` before it makes the key."""

    HALF_DONE = {
        "imported": "its key was being imported: {label} may be empty",
        "staged": "the new key was being put under {scratch}; {label} is as it was",
        "unstaged": "the new key was being deleted under {scratch}; {label} is as it was",
        "replaced": "its key was being replaced: {label} may be empty, and the new key is ready under {scratch}",
    }
    source: str
    from_scratch: bool
    missing: Hosts
    replace: Hosts
    fingerprint: str | None
    exportable: bool
    kind: Literal["distribute"] = field(default="distribute", init=False)

    @property
    def changes(self) -> Hosts:
        return (*self.missing, *self.replace)

    @property
    def needs(self) -> Hosts:
        return (self.source, *self.changes)

    @property
    def fills(self) -> Hosts:
        return self.changes

    @property
    def replaces(self) -> Hosts:
        return self.replace

    @property
    def operations(self) -> int:
        """A replacement is two: the new key is staged, then swapped."""
        return len(self.missing) + 2 * len(self.replace)

    @property
    def words(self) -> tuple[tuple[str, str], ...]:
        return (*((host, "imported") for host in self.missing), *((host, "replaced") for host in self.replace))

    def describe(self) -> str:
        parts = [f"import to {', '.join(self.missing)}"] if self.missing else []
        parts += [f"replace on {', '.join(self.replace)}"] if self.replace else []
        return f"take the key of {self.source}; {'; '.join(parts)}"

    def by_hand(self, hands: Hands) -> list[str]:
        lines = hands.export_key(self.source, scratch=self.from_scratch)
        for host in self.missing:
            lines += hands.import_key(host, scratch=False, exportable=self.exportable)
        for host in self.replace:
            if not (self.from_scratch and host == self.source):
                lines += hands.import_key(host, scratch=True, exportable=True)
            lines += hands.save(host)
            lines += hands.remove(host, scratch=False)
            lines += hands.import_key(host, scratch=False, exportable=self.exportable or host == self.source)
            lines += hands.remove(host, scratch=True)
        return lines


@dataclass(frozen=True)
class Clean(Step):
    """Remove scratch keys that are no longer needed."""

    HALF_DONE = {"cleaned": "a leftover key was being deleted under {scratch}; {label} is as it was"}
    hosts: Hosts
    kind: Literal["clean"] = field(default="clean", init=False)

    @property
    def changes(self) -> Hosts:
        return self.hosts

    def describe(self) -> str:
        return f"remove leftover scratch keys on {', '.join(self.hosts)}"

    def by_hand(self, hands: Hands) -> list[str]:
        return [line for host in self.hosts for line in hands.remove(host, scratch=True)]


@dataclass(frozen=True)
class Save(Step):
    """Write the startup configuration of hosts whose key would not survive a reload."""

    HALF_DONE = {"saved": "its configuration was being saved"}
    hosts: Hosts
    kind: Literal["save"] = field(default="save", init=False)

    @property
    def changes(self) -> Hosts:
        return self.hosts

    def describe(self) -> str:
        return f"save on {', '.join(self.hosts)}"

    def by_hand(self, hands: Hands) -> list[str]:
        return [line for host in self.hosts for line in hands.save(host)]


STEPS: tuple[type[Step], ...] = (Finish, Generate, Distribute, Clean, Save)
_OF_KIND = {step.kind: step for step in STEPS}


def from_result(value: object) -> Step:
    """The step that `to_result` made this of. Raises ValueError for anything else."""
    result = value if isinstance(value, Mapping) else {}
    kind = result.get("kind")
    step = _OF_KIND.get(kind) if isinstance(kind, str) else None
    fields = {one.name: str(one.type) for one in dataclasses.fields(step) if one.init} if step else {}
    if step is None or not fields.keys() <= result.keys():
        raise ValueError("no step of a plan")
    return step(**{name: _READERS[form](result[name]) for name, form in fields.items()})


def _hosts(value: object) -> Hosts:
    return tuple(map(_text, _of_type(list, value)))


def _text(value: object) -> str:
    return _of_type(str, value)


def _of_type(wanted: type[T], value: object) -> T:
    """True is a number to Python, and not to us."""
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise ValueError(f"no {wanted.__name__}")
    return value


_READERS: Mapping[str, Callable[[object], object]] = {
    "Hosts": _hosts,
    "str": _text,
    "str | None": lambda value: None if value is None else _text(value),
    "int": lambda value: _of_type(int, value),
    "bool": lambda value: _of_type(bool, value),
}
"""By the type of a field."""
