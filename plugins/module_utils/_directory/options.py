# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules key_directory and key_directory_info share; documented in the fragment _directory."""

from __future__ import annotations

import importlib.util
import typing as t
from collections.abc import Callable, Sequence

from ansible.module_utils.basic import AnsibleModule, env_fallback

from .._errors import NOTHING_CHANGED, VpnKeysError

DIRECTORY_LIBRARIES = ("SQLAlchemy", "alembic", "cryptography")

DIRECTORY_SPEC = dict(
    url=dict(
        type="str",
        no_log=True,
        fallback=(env_fallback, ["VPNOPS_KEYS_DIRECTORY_URL"]),
        default="sqlite:///~/.ansible/vpnops.keys/directory.db",
    ),
    signing_key_path=dict(type="path", no_log=False),
    signing_key=dict(type="str", no_log=True),
    signing_key_url=dict(type="str", no_log=False),
    verify_key=dict(type="str", no_log=False),
    witness_path=dict(type="path"),
    observations=dict(type="dict"),
    witnesses=dict(
        type="list",
        elements="dict",
        options=dict(
            gateway=dict(type="str", required=True),
            note=dict(type="str", required=True),
            late=dict(type="bool", default=False),
        ),
    ),
    ignored_witnesses=dict(type="list", elements="str", default=[]),
    only=dict(type="list", elements="str"),
)
ABOUT_GATEWAYS: dict[str, t.Any] = {"observations": None, "witnesses": None, "ignored_witnesses": [], "only": None}
"""The options of modules whose result is about gateways, as they are where nobody sets them."""
DIRECTORY_MUTUALLY_EXCLUSIVE = [("signing_key_path", "signing_key", "signing_key_url")]


def finish(module: AnsibleModule, libraries: Sequence[str], work: Callable[[], dict[str, t.Any]]) -> None:
    """End the module with what the work returns, or with its one sentence."""
    try:
        _require(libraries)
        result = work()
    except VpnKeysError as error:
        # Its options are named by what the reader can set: the action does that.
        module.fail_json(msg=error.marked, code=error.code)
    except Exception as error:  # noqa: BLE001 - a traceback could quote a password
        module.fail_json(
            msg="The task on the directory failed with an unexpected error "
            f"({type(error).__name__}). Check the directory before you run this again, and please report the error.",
            code="internal",
        )
    else:
        module.exit_json(**result)


def _require(libraries: Sequence[str]) -> None:
    for library in libraries:
        if not _installed(library.lower()):
            raise VpnKeysError(
                "missing_library",
                f"The Python library {library} is needed where this task runs",
                state=NOTHING_CHANGED,
                advice="install it there, or delegate the task to the control node",
            )


def _installed(name: str) -> bool:
    """Without importing it: that takes longer than all else."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
