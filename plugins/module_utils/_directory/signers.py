# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the directory's signing key is: in a file, in an option, or in a transit engine. PRIVATE to the collection."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._fingerprint import fingerprint
from . import key_file, signing, transit
from .database import Place
from .signing import Signer

try:
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # the modules name the missing library
    pass

Options = Mapping[str, t.Any]
SET_ONE = "set O(signing_key_path), O(signing_key) or O(signing_key_url)"


class Source(t.Protocol):
    """Everything raises VpnKeysError(signing_key) where a key is there and cannot be used."""

    renames: t.ClassVar[bool]
    """Whether a change of keys ends with `settle`."""

    def first(self) -> Signer:
        """The key of a new directory."""

    def keep(self, key: Signer) -> None:
        """What `first` gave, now that the directory is made."""

    def current(self, wanted: str) -> tuple[Signer | None, bool]:
        """The key that signs now, if possible the one with that fingerprint, and whether `settle` is still to be done.
        A reader trusts it."""

    def following(self, wanted: str, check: bool) -> Signer | None:
        """The key that is to sign after the one with that fingerprint; None if there is nothing left to do."""

    def settle(self) -> None:
        """The last step of a change of keys."""


@dataclass(frozen=True)
class InFile:
    """While the key is changed there are two files, PATH and PATH.new."""

    path: str
    renames: t.ClassVar[bool] = True

    def first(self) -> Signer:
        return key_file.read(self.path) or signing.new_private_key()

    def keep(self, key: Signer) -> None:
        if key_file.read(self.path) is None:
            key_file.write(self.path, t.cast("ed25519.Ed25519PrivateKey", key))

    def current(self, wanted: str) -> tuple[Signer | None, bool]:
        pending = key_file.read(f"{self.path}.new")
        if pending and fingerprint_of(pending) == wanted:
            return pending, True
        return key_file.read(self.path), False

    def following(self, wanted: str, check: bool) -> Signer | None:
        """It is on the disk before it is used; one that a killed run left there is used."""
        pending = key_file.read(f"{self.path}.new")
        if pending is None:
            pending = signing.new_private_key()
            if not check:
                key_file.write(f"{self.path}.new", pending)
        return pending

    def settle(self) -> None:
        try:
            key_file.move(f"{self.path}.new", self.path)
        except OSError as error:
            raise VpnKeysError(
                "signing_key",
                f"The directory is signed by its new key now, but {self.path}.new cannot be renamed to {self.path}: "
                f"{error.strerror}",
                state="Nothing is lost",
                advice="the next run that can write there finishes it",
            ) from None


@dataclass(frozen=True)
class Given:
    """As the text of an option."""

    text: str
    option: str
    renames: t.ClassVar[bool] = False

    def first(self) -> Signer:
        try:
            return signing.from_pem(self.text)
        except ValueError as error:
            what = f"O({self.option}) cannot be used: {error}"
            raise VpnKeysError("signing_key", what, state=NOTHING_CHANGED) from None

    def keep(self, key: Signer) -> None:
        """Nothing to do: the user has it."""

    def current(self, wanted: str) -> tuple[Signer | None, bool]:
        return self.first(), False

    def following(self, wanted: str, check: bool) -> Signer | None:
        raise VpnKeysError(
            "bad_input",
            "state=rekeyed with O(signing_key) needs O(new_signing_key) or O(new_signing_key_url) too",
            state=NOTHING_CHANGED,
        )

    def settle(self) -> None:
        """There is nothing to rename."""


@dataclass(frozen=True)
class InTransit:
    """The versions of one key of a transit engine. The newest is the first key of a directory, and its next one."""

    url: str
    renames: t.ClassVar[bool] = False

    def first(self) -> Signer:
        return transit.Engine(self.url).keys()[0]

    def keep(self, key: Signer) -> None:
        """It stays where it is."""

    def current(self, wanted: str) -> tuple[Signer | None, bool]:
        every = transit.Engine(self.url).keys()
        return next((key for key in every if fingerprint_of(key) == wanted), every[0]), False

    def following(self, wanted: str, check: bool) -> Signer | None:
        newest = self.first()
        if fingerprint_of(newest) == wanted:
            raise VpnKeysError(
                "signing_key",
                f"The directory is signed by the newest version of {self.url} already",
                state=NOTHING_CHANGED,
                advice="for another key, rotate it in the transit engine first, with: vault write -f "
                f"{self.url.removeprefix('vault://')}/rotate",
            )
        return newest

    def settle(self) -> None:
        """There is nothing to rename."""


@dataclass(frozen=True)
class Moving:
    """The next key is somewhere else than the one that signs now."""

    now: Source
    then: Source
    renames: t.ClassVar[bool] = False

    def first(self) -> Signer:
        return self.now.first()

    def keep(self, key: Signer) -> None:
        self.now.keep(key)

    def current(self, wanted: str) -> tuple[Signer | None, bool]:
        """In a run again after the keys were exchanged, nothing is left to do for the former one."""
        new = self.then.first()
        return (new, False) if fingerprint_of(new) == wanted else self.now.current(wanted)

    def following(self, wanted: str, check: bool) -> Signer | None:
        new = self.then.first()
        return None if fingerprint_of(new) == wanted else new

    def settle(self) -> None:
        """There is nothing to rename."""


def source(options: Options, place: Place) -> Source | None:
    """None where nothing is set, and the place says nothing."""
    path = path_of(options, place)
    in_file = InFile(path) if path else None
    now = _elsewhere(options, "signing_key") or in_file
    then = _elsewhere(options, "new_signing_key") if options.get("state") == "rekeyed" else None
    return Moving(now, then) if now and then else now


def _elsewhere(options: Options, option: str) -> Source | None:
    if url := options.get(f"{option}_url"):
        return InTransit(url)
    text = options.get(option)
    return Given(text, option) if text else None


def path_of(options: Options, place: Place) -> str | None:
    """Of the file, whether or not the key is there."""
    if given := options["signing_key_path"]:
        return os.path.abspath(os.path.expanduser(str(given)))
    return f"{place.path}.key" if place.path else None


def shown(options: Options, place: Place) -> dict[str, str | None]:
    """Where the key is after the task, for results. Nothing secret."""
    found = source(options, place)
    found = found.then if isinstance(found, Moving) else found
    return {
        "signing_key_path": found.path if isinstance(found, InFile) else None,
        "signing_key_url": found.url if isinstance(found, InTransit) else None,
    }


def fingerprint_of(key: Signer) -> str:
    return fingerprint(signing.public_der(key))
