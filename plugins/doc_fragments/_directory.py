# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that key_directory and key_directory_info share. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - SQLAlchemy >= 2.0
  - alembic >= 1.13
  - cryptography >= 42
notes:
  - A directory in PostgreSQL needs the Python library psycopg (3.1 or later) as well.
  - The module runs where the task runs. Delegate it to C(localhost), or to the host that has the directory.
options:
  url:
    description:
      - >-
        The database of the directory: V(sqlite:////absolute/path.db), or
        V(postgresql://user:password@host/database).
      - Without it, the environment variable E(VPNOPS_KEYS_DIRECTORY_URL) is used, if it is set.
    type: str
    default: sqlite:///~/.ansible/vpnops.keys/directory.db
  signing_key_path:
    description:
      - >-
        File with the Ed25519 key that signs the records of the directory: unencrypted PEM, readable by its owner
        alone.
      - >-
        The default for SQLite is the file of the database with C(.key) added. For PostgreSQL there is no default.
      - Mutually exclusive with O(signing_key) and O(signing_key_url).
    type: path
  signing_key:
    description:
      - The same key as text, for control nodes without persistent files.
      - Mutually exclusive with O(signing_key_path) and O(signing_key_url).
    type: str
  signing_key_url:
    description:
      - >-
        A key of the type C(ed25519) in a transit engine of HashiCorp Vault or OpenBao, as V(vault://MOUNT/keys/NAME).
        The private key never leaves the engine, which signs. The task needs the Python library hvac.
      - >-
        Address and token of the engine come from the environment, as for its command line: E(VAULT_ADDR),
        E(VAULT_TOKEN), E(VAULT_NAMESPACE), E(VAULT_CACERT). The token needs C(read) on C(MOUNT/keys/NAME) and C(update)
        on C(MOUNT/sign/NAME).
      - >-
        A new directory is signed by the newest version of the key. A directory keeps its version until it is rekeyed.
      - Mutually exclusive with O(signing_key) and O(signing_key_path).
    type: str
  verify_key:
    description:
      - >-
        The public key that the directory must be signed with, as PEM, as base64 of its DER, or as its fingerprint. It
        is never taken from the database.
      - It may be one that the directory had earlier, if each key since then was signed by the one before.
      - By default the public key of the signing key is trusted.
    type: str
  witness_path:
    description:
      - >-
        File with the number and the root of the newest checkpoint that this control node has seen. A database that
        is older or has another history is refused.
      - >-
        The default is the file of the signing key with C(.witness) added. Without such a file, an old database is
        not detected.
    type: path
"""

    # Modules whose result is about gateways.
    ONLY = r"""
options:
  observations:
    description:
      - >-
        Results of M(vpnops.keys.gateway_info) by host, as P(vpnops.keys.by_host#filter) collects them. What each
        gateway has seen of the directory is read from them as O(witnesses).
    type: dict
  witnesses:
    description:
      - >-
        The checkpoints that gateways keep. One with the signature of this directory can show that the directory was
        replaced by an older or a different one: then it is refused, as with O(witness_path). Anything else proves
        nothing, and is in RV(claimed).
    type: list
    elements: dict
    suboptions:
      gateway:
        description: Name of the gateway.
        type: str
        required: true
      note:
        description: The checkpoint.
        type: str
        required: true
      late:
        description: Only report in RV(claimed) what it shows, and refuse nothing.
        type: bool
        default: false
  ignored_witnesses:
    description:
      - Names of gateways whose O(witnesses) are ignored, or V(all).
      - >-
        Set it if a directory was restored or created again on purpose, or if a gateway has an impossible checkpoint.
    type: list
    elements: str
    default: []
  only:
    description:
      - Names of the gateways that the result is about. Without it, all of them.
      - RV(peers) and RV(learned) are always about all gateways.
    type: list
    elements: str
"""
