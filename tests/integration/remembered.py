# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each ansible-playbook makes of the same files, made once: their code, and Ansible's own tables of plugins.

To be imported before the fork. What is remembered depends on the text that was read alone.
"""

from __future__ import annotations

import builtins
import functools
from pathlib import Path

import ansible
from ansible.utils.collection_loader import _collection_finder as finder

CHECKOUT = Path(__file__).parent.parent.parent
PLUGINS = CHECKOUT / ".build" / "ansible_collections" / "vpnops" / "keys" / "plugins"
ROUTES = Path(ansible.__file__).parent / "config" / "ansible_builtin_runtime.yml"


finder._meta_yml_to_dict = functools.cache(finder._meta_yml_to_dict)
finder._meta_yml_to_dict(ROUTES.read_bytes(), ("ansible.builtin", "runtime.yml"))
compile_once = finder.compile = functools.cache(builtins.compile)
for path in PLUGINS.rglob("*.py"):
    compile_once(source=path.read_bytes(), filename=str(path), mode="exec", flags=0, dont_inherit=True)
