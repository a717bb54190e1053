# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import OPTIONS, Target, read_target


def target(given: dict[str, t.Any] | None = None, **variables: t.Any) -> Target:
    return read_target("ks1", variables, given or {})


def test_a_bare_host_is_reached_by_its_name() -> None:
    assert target() == Target(name="ks1", host="ks1")


@pytest.mark.parametrize(
    ("variable", "option"), [(variable, option.name) for option in OPTIONS for variable in option.variables]
)
def test_every_variable_of_the_table_has_its_effect(variable: str, option: str) -> None:
    if option == "become_method":
        with pytest.raises(VpnKeysError, match="become_method is sudo"):
            read_target("ks1", {"ansible_become": True, variable: "sudo"}, {})
        return
    samples = {"port": 2222, "become": True, "host_key_checking": False, "host_key_auto_add": True, "legacy": True}
    value = samples.get(option, 7.0 if option.endswith("timeout") else "sample")
    assert getattr(read_target("ks1", {variable: value}, {}), option) == value


def test_an_earlier_variable_wins_and_an_inventory_beats_the_command_line() -> None:
    both = {"ansible_password": "one", "ansible_ssh_pass": "two"}
    assert target({"password": "three"}, **both).password == "one"
    assert target({"password": "three"}).password == "three"


@pytest.mark.parametrize(
    ("arguments", "option", "value"),
    [
        ("-o ProxyCommand='nc %h %p'", "proxy_command", "nc %h %p"),
        ('-o "ProxyCommand=ssh -W %h:%p bastion"', "proxy_command", "ssh -W %h:%p bastion"),
        ("-oProxyJump=admin@bastion", "proxy_jump", "admin@bastion"),
        ("-J bastion", "proxy_jump", "bastion"),
        ("-o StrictHostKeyChecking=no", "host_key_checking", False),
        ("-o StrictHostKeyChecking=accept-new", "host_key_auto_add", True),
        ("-o UserKnownHostsFile=/dev/null", "known_hosts", "/dev/null"),
        ("-o KexAlgorithms=+diffie-hellman-group14-sha1", "kex", "+diffie-hellman-group14-sha1"),
        ("-o 'Ciphers +aes128-cbc'", "ciphers", "+aes128-cbc"),
        ("-p 2222 -C -v", "port", 2222),
        ("-l netops", "user", "netops"),
        ("-F ssh.cfg", "config_file", "ssh.cfg"),
    ],
)
@pytest.mark.parametrize("variable", ["ansible_ssh_common_args", "ansible_ssh_extra_args"])
def test_openssh_arguments_are_understood(variable: str, arguments: str, option: str, value: t.Any) -> None:
    assert getattr(read_target("ks1", {variable: arguments}, {}), option) == value


def test_no_password_is_in_what_is_printed() -> None:
    shown = repr(target(ansible_password="s3cret-one", ansible_become_password="s3cret-two"))
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"ansible_port": "ssh"}, "ansible_port is 'ssh'; it must be a number"),
        ({"ansible_port": 70000}, "which is not a valid port"),
        ({"ansible_become": "maybe"}, "ansible_become is 'maybe'; it must be true or false"),
        ({"ansible_ssh_common_args": "-o 'unclosed"}, "the SSH arguments cannot be read"),
    ],
)
def test_nonsense_gets_one_sentence(variables: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(VpnKeysError, match=sentence) as caught:
        target(**variables)
    assert str(caught.value).startswith("ks1: ")
