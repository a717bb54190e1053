# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ..module_utils._errors import NOTHING_CHANGED, VpnKeysError
from ..module_utils._fingerprint import short
from ..module_utils._ios import replacement, rsa_keys
from ..module_utils._ios.dialogue import Dialogue, Terminal
from ..module_utils._ios.key_listings import KeyRing, RsaKey
from ..module_utils._ios.labels import Label
from ..module_utils._ios.rsa_keys import Sealed
from ..modules.ios_rsa_key_import import ARGUMENT_SPEC, MUTUALLY_EXCLUSIVE, REQUIRED_BY, REQUIRED_ONE_OF
from ..plugin_utils.ios import key_files, session
from ..plugin_utils.ios.results import difference, to_result
from ..plugin_utils.key_servers.action import IosAction, Result


@dataclass(frozen=True)
class _Offer:
    """A key that can be had: what it is, and how to take it. Nothing private moves before it has to."""

    fingerprint: str
    bits: int
    usage: str
    take: Callable[[], Awaitable[Sealed]]


class ActionModule(IosAction):
    ARGUMENT_SPEC = ARGUMENT_SPEC
    CONSTRAINTS = {
        "mutually_exclusive": MUTUALLY_EXCLUSIVE,
        "required_one_of": REQUIRED_ONE_OF,
        "required_by": REQUIRED_BY,
    }

    async def operate(self, options: dict[str, t.Any]) -> Result:
        label = Label.parse(options["label"])
        if options["backup_path"]:
            key_files.check_passphrase(options["backup_passphrase"])
        async with AsyncExitStack() as sessions:
            offer = await self._offer(label, options, sessions)
            if offer.bits < options["minimum_size"]:
                raise VpnKeysError(
                    "bad_input",
                    f"the key has {offer.bits} bits, fewer than O(minimum_size) ({options['minimum_size']})",
                    host=self.host,
                    state=NOTHING_CHANGED,
                )
            device = await sessions.enter_async_context(session.session(self.target()))
            ring = await device.do(rsa_keys.observe)
            result, work = self._predict(ring, label, offer, options)
            if not self.check:
                if work:
                    sealed = await offer.take()
                    result["key"] = to_result(
                        await self.changing(
                            device, lambda tty: self._converge(tty, label, ring, sealed, options)
                        )
                    )
                elif result["changed"]:
                    key = await self.changing(
                        device, lambda tty: replacement.clean(tty, label, offer.fingerprint, save=options["save"])
                    )
                    result["key"] = to_result(key)
        return result

    async def _offer(self, label: Label, options: dict[str, t.Any], sessions: AsyncExitStack) -> _Offer:
        if not options["from_host"]:
            text = options["content"] if options["content"] is not None else key_files.read(options["path"])
            sealed = key_files.sealed(text, options["passphrase"])

            async def given() -> Sealed:
                return sealed

            return _Offer(sealed.fingerprint, sealed.bits, sealed.usage, given)
        from_label = Label.parse(options["from_label"]) if options["from_label"] else label
        source = await sessions.enter_async_context(session.session(self.target(options["from_host"])))
        key = await source.do(lambda tty: rsa_keys.observe_at(tty, from_label))

        async def exported() -> Sealed:
            return await source.do(lambda tty: rsa_keys.export(tty, from_label))

        return _Offer(key.fingerprint, key.bits, key.usage, exported)

    def _predict(self, ring: KeyRing, label: Label, offer: _Offer, options: dict[str, t.Any]) -> tuple[Result, bool]:
        """The result as far as looking tells it, and whether the key has to be brought."""
        keys = ring.of(label)
        same = [key for key in keys if key.fingerprint == offer.fingerprint]
        if keys and not same and not options["overwrite"]:
            raise VpnKeysError(
                "conflict",
                f"under {label} is another key ({short(keys[0].fingerprint)}), not {short(offer.fingerprint)}",
                host=self.host,
                state=NOTHING_CHANGED,
                advice="O(overwrite): true would replace it",
            )
        if keys and not same and options["backup_path"] and not keys[0].exportable:
            raise VpnKeysError(
                "not_exportable",
                f"the old key {label} is not exportable, so no backup of it can be made",
                host=self.host,
                state=NOTHING_CHANGED,
                advice="leave out O(backup_path) to replace it anyway",
            )
        after = (
            same[0]
            if same
            else {
                "fingerprint": offer.fingerprint,
                "size": offer.bits,
                "usage": offer.usage,
                "exportable": options["exportable"],
            }
        )
        to_save = bool(same) and options["save"] and same[0].saved is False
        result: Result = {
            "changed": not same or to_save,
            "fingerprint": offer.fingerprint,
            "diff": difference(label, keys, after, saved=options["save"] and (not same or to_save)),
        }
        return result | ({"key": to_result(same[0])} if same else {}), not same

    def _converge(
        self, tty: Terminal, label: Label, seen: KeyRing, sealed: Sealed, options: dict[str, t.Any]
    ) -> Dialogue[RsaKey]:
        """`seen`: what was there when it was decided; a key that came since then is not replaced."""
        how = {"exportable": options["exportable"], "save": options["save"]}
        planned = rsa_keys.identity(seen.of(label))
        if planned is None:
            return (yield from replacement.import_key(tty, label, sealed, **how))
        old = yield from replacement.export_old(tty, label, planned)
        if old and options["backup_path"]:
            key_files.keep(old, options["backup_path"], options["backup_passphrase"], "pkcs8")
        leftover = rsa_keys.identity(seen.of(label.scratch))
        yield from replacement.stage(tty, label, sealed, leftover, save=options["save"])
        return (yield from replacement.swap(tty, label, sealed, planned, old, **how))
