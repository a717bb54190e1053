# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be wrong with a directory as a whole, as the end of a sentence. Pure. PRIVATE to the collection."""

from __future__ import annotations

WHOLE = {
    "checkpoint": "its newest checkpoint is missing, or its signing key did not sign it",
    "records": "the list of its records is not the one that was signed last",
    "revision": "its number of changes is not the one that was signed last",
    "signing keys": "the list of its signing keys is not the one that was signed last",
    "events": "its events are not those that were signed last: some were changed, removed or added",
    "checkpoints": "its earlier checkpoints are not those that were signed last",
    "rolled back": "it is older than it was when this control node saw it last",
    "two histories": "its history is not that of the directory that this control node saw last",
    "another directory": "it is not the directory that this control node saw last",
}
