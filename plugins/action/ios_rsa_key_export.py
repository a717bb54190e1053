# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._ios import rsa_keys
from ..module_utils._ios.labels import Label
from ..modules.ios_rsa_key_export import ARGUMENT_SPEC, REQUIRED_BY, REQUIRED_IF
from ..plugin_utils.ios import key_files
from ..plugin_utils.key_servers.action import IosAction, Result


class ActionModule(IosAction):
    ARGUMENT_SPEC = ARGUMENT_SPEC
    CONSTRAINTS = {"required_by": REQUIRED_BY, "required_if": REQUIRED_IF}

    async def operate(self, options: dict[str, t.Any]) -> Result:
        label = Label.parse(options["label"])
        passphrase, path = options["passphrase"], options["path"]
        if passphrase is not None:
            key_files.check_passphrase(passphrase)
        sealed = await self.on_device(lambda tty: rsa_keys.export(tty, label))
        result: Result = {
            "changed": False,
            "label": str(label),
            "fingerprint": sealed.fingerprint,
            "public_key": sealed.public_pem,
        }
        if path:
            before = key_files.fingerprint_in(path, passphrase)
            result["path"] = path
            result["changed"] = before != sealed.fingerprint
            result["diff"] = {
                "before_header": path,
                "after_header": path,
                "before": f"{before}\n" if before else "",
                "after": f"{sealed.fingerprint}\n",
            }
            if result["changed"] and not self.check:
                key_files.keep(sealed, path, passphrase, options["format"])
        if options["return_content"]:
            result["content"] = key_files.armored(sealed, passphrase, options["format"])
        return result
