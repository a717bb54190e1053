# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._errors import NOTHING_CHANGED, NOTHING_DONE, VpnKeysError
from ..module_utils._ios import replacement, rsa_keys
from ..module_utils._ios.dialogue import Dialogue, Terminal
from ..module_utils._ios.key_listings import RsaKey
from ..module_utils._ios.labels import Label
from ..modules.ios_rsa_key import ARGUMENT_SPEC
from ..plugin_utils.ios import session
from ..plugin_utils.ios.results import difference, to_result
from ..plugin_utils.key_servers.action import IosAction, Result


class ActionModule(IosAction):
    ARGUMENT_SPEC = ARGUMENT_SPEC

    async def operate(self, options: dict[str, t.Any]) -> Result:
        label = Label.parse(options["label"])
        for name, low in (("size", 360), ("generation_timeout", 1)):
            if options[name] < low:
                raise VpnKeysError(
                    "bad_input", f"O({name}) must be at least {low}, not {options[name]}", state=NOTHING_DONE
                )
        async with session.session(self.target()) as device:
            return await self.changing(device, lambda tty: self._converge(tty, label, options))

    def _converge(self, tty: Terminal, label: Label, options: dict[str, t.Any]) -> Dialogue[Result]:
        ring = yield from rsa_keys.observe(tty)
        keys = ring.of(label)
        if options["state"] == "absent":
            work, after = bool(keys), None
            if keys and ring.labels == (label.name,) and not options["allow_last_key"]:
                raise VpnKeysError(
                    "blocked",
                    f"{label} is the last RSA key of the device; without one its SSH server stops, and SSH "
                    "logins are not possible any more",
                    host=tty.name,
                    state=NOTHING_CHANGED,
                    advice="O(allow_last_key): true removes it anyway",
                )
        else:
            work, after = self._wanted(tty, label, keys, options)
        # A key that is not there shows nothing: that it was removed and not saved is known only from an earlier run.
        unsaved = any(key.saved is False for key in keys) if after else tty.saved is False
        to_save = options["save"] and not work and unsaved
        saves = options["save"] and (work or to_save)
        result = {"changed": work or to_save, "diff": difference(label, keys, after, saved=saves)}
        if self.check or not (work or to_save):
            return result | ({"key": to_result(keys[0])} if keys and not work else {})
        if options["state"] == "absent":
            if work:
                yield from rsa_keys.remove(tty, label, str(rsa_keys.identity(keys)))
            if options["save"]:
                yield from rsa_keys.save(tty)
            return result
        made = keys
        if work:
            made = yield from rsa_keys.generate(
                tty,
                label,
                options["size"],
                usage=options["usage"],
                exportable=options["exportable"],
                replace=rsa_keys.identity(keys),
                timeout=options["generation_timeout"],
            )
        key = yield from replacement.clean(tty, label, str(rsa_keys.identity(made)), save=options["save"])
        return result | {"key": to_result(key)}

    def _wanted(
        self, tty: Terminal, label: Label, keys: tuple[RsaKey, ...], options: dict[str, t.Any]
    ) -> tuple[bool, t.Any]:
        """Whether a key is to be made, and what the diff predicts."""
        new = {name: options[name] for name in ("size", "usage", "exportable")}
        if not keys:
            return True, new
        unlike = [
            f"{name} is {have}, not {options[name]}"
            for name, have in (
                ("size", keys[0].bits),
                ("usage", keys[0].usage),
                ("exportable", keys[0].exportable),
            )
            if have != options[name]
        ]
        regenerate = options["regenerate"]
        if unlike and regenerate == "fail":
            raise VpnKeysError(
                "conflict",
                f"key {label} differs from the options: {', '.join(unlike)}",
                host=tty.name,
                state=NOTHING_CHANGED,
                advice="set O(regenerate): partial_idempotence to replace it, or never to keep it",
            )
        if regenerate == "always" or (unlike and regenerate == "partial_idempotence"):
            return True, new
        return False, keys[0]
