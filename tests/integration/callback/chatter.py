# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a numbered line every $CHATTER seconds while tasks run, in turn on stdout and stderr."""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: chatter
type: aggregate
short_description: Writes lines
description: For the tests of this collection.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "chatter"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        threading.Thread(target=self._chat, daemon=True).start()

    def _chat(self) -> None:
        number = 0
        while True:
            time.sleep(float(os.environ["CHATTER"]))
            number += 1
            self._display.display(f"chatter {number}", stderr=bool(number % 2))
