# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signing key that never leaves a transit engine, of HashiCorp Vault or OpenBao. PRIVATE to the collection.

Where the engine is and who may sign comes from the environment, as for their own command line: VAULT_ADDR, VAULT_TOKEN,
VAULT_NAMESPACE, VAULT_CACERT. A policy needs `read` on MOUNT/keys/NAME and `update` on MOUNT/sign/NAME, no more.
Source: https://developer.hashicorp.com/vault/api-docs/secret/transit.
"""

from __future__ import annotations

import base64
import os
import re
import typing as t

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._printable import printable

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # the modules name the missing library
    pass

URL = re.compile(r"vault://(?P<mount>[\w./-]+?)/keys/(?P<name>[\w.-]+)", re.ASCII)
SECONDS = 30
LONGEST = 300


class TransitKey:
    """One version of a key, which signs as a private key does. What the engine signs is verified before it is used."""

    def __init__(self, engine: Engine, version: int, public: ed25519.Ed25519PublicKey) -> None:
        self.engine, self.version, self._public = engine, version, public

    def public_key(self) -> ed25519.Ed25519PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Raises VpnKeysError(signing_key)."""
        signature = self.engine.signed(data, self.version)
        try:
            self._public.verify(signature, data)
        except InvalidSignature:
            raise self.engine.unusable("its signature does not match its public key") from None
        return signature


class Engine:
    """A key by its name, as long as a task lasts."""

    def __init__(self, url: str) -> None:
        """Raises VpnKeysError(bad_input, missing_library)."""
        found = URL.fullmatch(url)
        if not found:
            raise VpnKeysError(
                "bad_input",
                "O(signing_key_url) is not of the form vault://MOUNT/keys/NAME",
                state=NOTHING_CHANGED,
            )
        self.url, self.mount, self.name = url, found["mount"], found["name"]
        try:
            import hvac
        except ImportError:
            raise VpnKeysError(
                "missing_library",
                "The Python library hvac is needed where this task runs",
                state=NOTHING_CHANGED,
                advice="install it there, or set O(signing_key_path)",
            ) from None
        self._client = hvac.Client(
            timeout=SECONDS, verify=os.environ.get("VAULT_CACERT") or True, namespace=os.environ.get("VAULT_NAMESPACE")
        )

    def keys(self) -> list[TransitKey]:
        """All versions that may sign, the newest first. Raises VpnKeysError(signing_key)."""
        found = self._asked("read_key", name=self.name)
        if found.get("type") != "ed25519":
            raise self.unusable("it is not of the type ed25519")
        every = _versions(found.get("keys"))
        if every is None:
            raise self.unusable("its public keys cannot be read")
        least = found.get("min_encryption_version")
        usable = [version for version in sorted(every, reverse=True) if not isinstance(least, int) or version >= least]
        if not usable:
            raise self.unusable("it has no version that may sign")
        return [TransitKey(self, version, every[version]) for version in usable]

    def signed(self, data: bytes, version: int) -> bytes:
        text = base64.b64encode(data).decode()
        found = self._asked("sign_data", name=self.name, hash_input=text, key_version=version)
        prefix, dummy, signature = str(found.get("signature")).rpartition(":")
        try:
            if prefix != f"vault:v{version}":
                raise ValueError
            return base64.b64decode(signature, validate=True)
        except ValueError:
            raise self.unusable("its signature cannot be read") from None

    def _asked(self, method: str, **options: t.Any) -> dict[str, t.Any]:
        import hvac.exceptions
        import requests

        try:
            answer = getattr(self._client.secrets.transit, method)(mount_point=self.mount, **options)
        except hvac.exceptions.InvalidPath:
            raise self.unusable("there is no such key") from None
        except hvac.exceptions.VaultError as error:
            raise self.unusable(printable(", ".join(error.errors or [str(error.args[0])]), LONGEST)) from None
        except requests.RequestException as error:
            raise self.unusable(f"the engine does not answer ({type(error).__name__})") from None
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict):
            raise self.unusable("the answer cannot be read")
        return data

    def unusable(self, why: str) -> VpnKeysError:
        return VpnKeysError(
            "signing_key",
            f"The signing key {self.url} cannot be used: {why}",
            state=NOTHING_CHANGED,
            advice="check VAULT_ADDR, VAULT_TOKEN and the policy of the token",
        )


def _versions(shown: t.Any) -> dict[int, ed25519.Ed25519PublicKey] | None:
    """The public key of each version; None for what cannot be read."""
    if not isinstance(shown, dict):
        return None
    texts = {version: one.get("public_key") for version, one in shown.items() if isinstance(one, dict)}
    keys = {int(version): _public(text) for version, text in texts.items() if str(version).isdecimal()}
    read = {version: key for version, key in keys.items() if key is not None}
    return read if len(read) == len(shown) else None


def _public(text: t.Any) -> ed25519.Ed25519PublicKey | None:
    try:
        return ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(str(text), validate=True))
    except ValueError:
        return None
