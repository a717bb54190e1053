# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""swanctl.conf: what is read, what is refused, and the one file that is written."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan.config import (
    BRIDGE,
    Bridge,
    Connection,
    End,
    Section,
    connections,
    overlay,
    parse,
)

ONE = """
# to gw2
connections {
    gw2 {
        local_addrs = 10.0.0.1   # ours
        remote_addrs = 10.0.0.2
        local { auth = pubkey
            id = gw1
            pubkeys = gw1.pub }
        remote-1 {
            id = "gw2"
            pubkeys = gw2.pub#theirs
        }
        children { net { start_action = trap|start } other { } }
    }
}
"""


def read(text: str, others: dict[str, dict[str, str]] | None = None) -> Section:
    return parse("/etc/swanctl/swanctl.conf", text, lambda path, pattern: (others or {}).get(pattern, {}).items())


def one(text: str, others: dict[str, dict[str, str]] | None = None) -> Connection:
    (connection,) = connections(read(text, others))
    return connection


def test_a_connection_is_read() -> None:
    connection = one(ONE)
    assert connection.name == "gw2"
    assert connection.reachable
    assert (connection.local.auth, connection.local.identity, connection.local.keys) == ("pubkey", "gw1", ("gw1.pub",))
    remote = connection.remote
    assert (remote.section, remote.auth, remote.identity, remote.keys) == ("remote-1", "pubkey", "gw2", ("gw2.pub",))
    assert [(child.name, child.starts) for child in connection.children] == [("net", True), ("other", False)]
    assert connection.starts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = b c   d", "b c d"),
        ("a = b # c", "b"),
        ("a = b#c", "b"),
        ('a = "b # } { c"', "b # } { c"),
        (r'a = "say \"x\"\tand\\"', 'say "x"\tand\\'),
        (r'a = "x\ny\rz\q"', "x\ny\rzq"),
        ('a = "two\nlines"', "two\nlines"),
        ('a = "one \\\nline"', "one line"),
        ('a = "one \\\r\nline"', "one line"),
        ("a =", ""),
        ("a=b=c", "b=c"),
        ("a = 1\na = 2", "2"),
        ("a\t=\tb\r\n", "b"),
        ("a = include", "include"),
    ],
)
def test_values(text: str, value: str) -> None:
    assert read(text).values == {"a": value}


def test_what_a_connection_does_not_say() -> None:
    bare = one("connections { a { remote { auth =\n } children { net { } } } }")
    assert not bare.reachable
    assert not bare.starts
    assert bare.local == End("local", "pubkey", "", (), 0)
    assert bare.remote == End("remote", "pubkey", "", (), 1)


@pytest.mark.parametrize("text", ["", "# nothing yet", "secrets { }"])
def test_a_file_without_connections(text: str) -> None:
    assert connections(read(text)) == []


def test_spaces_are_not_needed() -> None:
    found = one("base{remote{id=x}}more{remote{pubkeys=x.pub}}connections{a:base,more{local{id=y}}}")
    assert (found.local.identity, found.remote.identity, found.remote.keys) == ("y", "x", ("x.pub",))


@pytest.mark.parametrize(
    ("addresses", "reachable"),
    [
        ("", False),
        ("%any", False),
        ("%any4, %any6", False),
        ("10.0.0.0/8", False),
        ("10.0.0.1-10.0.0.9", False),
        ("2001:db8::1-2001:db8::9", False),
        ("10.0.0.1", True),
        ("%any, 10.0.0.1", True),
        ("gw-2.example.com", True),
        ("2001:db8::2", True),
    ],
)
def test_what_can_be_initiated(addresses: str, reachable: bool) -> None:
    assert one(f"connections {{ a {{ remote_addrs = {addresses}\n }} }}").reachable is reachable


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a {\n", 2, "the file ends in the middle of a section"),
        ("a {\n}\n}", 3, "a closing brace has no opening one"),
        ("\n\nword", 3, "neither a value nor a section follows word"),
        ("\n = x", 2, "the name of a section or of a value is missing"),
        ("a : {\n}", 1, "the name of a template is missing"),
        ("a : b, {\n}", 1, "the name of a template is missing"),
        ('a = "b', 1, "the name of a section or of a value is missing"),
    ],
)
def test_what_cannot_be_understood_names_file_and_line(text: str, line: int, what: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        read(text)
    assert str(caught.value) == f"/etc/swanctl/swanctl.conf, line {line}: {what}. Nothing was changed."
    assert caught.value.code == "unreadable"


def test_files_are_merged_in_their_order() -> None:
    found = one(
        "connections { a { remote { id = x\n pubkeys = old.pub\n } } }\ninclude conf.d/*.conf\n",
        {"conf.d/*.conf": {"1.conf": "connections { a { remote { pubkeys = new.pub, \t next.pub\n } } }"}},
    )
    assert (found.remote.identity, found.remote.keys) == ("x", ("new.pub", "next.pub"))


def test_a_file_may_be_included_inside_a_section() -> None:
    found = one('connections { a { include "one.conf"\n } }', {"one.conf": {"one.conf": "remote { id = x\n }"}})
    assert found.remote.identity == "x"


def test_a_fault_is_told_of_the_file_that_has_it() -> None:
    with pytest.raises(VpnKeysError) as caught:
        read("\n\ninclude conf.d/*\n", {"conf.d/*": {"/etc/swanctl/conf.d/1.conf": "a {\n}\n}\n"}})
    expected = "/etc/swanctl/conf.d/1.conf, line 3: a closing brace has no opening one. Nothing was changed."
    assert str(caught.value) == expected


def test_files_may_include_others_twenty_times_in_a_row() -> None:
    files = {str(number): {str(number): f"include {number + 1}"} for number in range(1, 20)}
    assert read("include 1", {**files, "20": {"20": "a = b"}}).values == {"a": "b"}


def test_files_that_include_each_other_are_refused() -> None:
    with pytest.raises(VpnKeysError) as caught:
        read("include a", {"a": {"a.conf": "include a"}})
    assert str(caught.value) == "a.conf, line 1: files include each other in a loop. Nothing was changed."


def test_templates_are_inherited() -> None:
    found = one(
        """
        base { remote_addrs = 10.0.0.9
          remote { auth = pubkey
            id = base
            pubkeys = base.pub } }
        mine : base { remote { id = mine } }
        second { remote_addrs = %any
          children { net { start_action = start } } }
        connections { a : mine, second { remote { pubkeys = a.pub } } }
        """
    )
    assert (found.remote.identity, found.remote.keys, found.reachable, found.starts) == ("mine", ("a.pub",), True, True)


def test_a_template_that_is_not_there_says_nothing() -> None:
    assert one("base { }\nconnections { a : nowhere.near, base.far { local { id = x } } }").local.identity == "x"


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("base { end { id = x } }\nmine : base { }\nconnections { a { local : mine.end { } } }", "x"),
        ("base { end { id = x } }\nmine : base { end { } }\nconnections { a { local : mine.end { } } }", "x"),
        ("base { end { id = x } }\nmine : base { end { id = y } }\nconnections { a { local : mine.end { } } }", "y"),
        ("base { end { id = x } }\nmine : base { }\nhis : mine { }\nconnections { a { local : his.end { } } }", "x"),
        ("base { local { id = x } }\nyours { id = y }\nconnections { a : base { local : yours { } } }", "y"),
        ("end { id = x }\nbase { local : end { } }\nconnections { a : base { local { } } }", "x"),
        ("connections { a { local : connections.a.remote { }\n remote { id = x } } }", "x"),
    ],
)
def test_a_template_may_be_part_of_another_one(text: str, identity: str) -> None:
    assert one(text).local.identity == identity


def test_templates_may_be_used_time_and_again() -> None:
    texts = [f"t{number} : t{number + 1} {{ }}" for number in range(30)]
    found = one("\n".join([*texts, "t30 { local { id = x } }", "connections { a : t0, t7 { } }"]))
    assert found.local.identity == "x"


@pytest.mark.parametrize(
    "text", ["a : b { }\nb : a { }", "a : a { }", "a { children { net : a { } } }", "x : a.c { }\na : b { }\nb : a { }"]
)
def test_templates_in_a_circle_are_refused(text: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        connections(read(text))
    assert str(caught.value) == "The templates of swanctl.conf refer to each other in a loop."
    assert caught.value.code == "unreadable"


def test_several_rounds_are_counted() -> None:
    assert one("connections { a { remote-1 { }\n remote-2 { auth = eap-md5\n } } }").remote.rounds == 2


@pytest.mark.parametrize("name", ["remote", "remote1", "remote-a", "remote_a", "remotegw2", "Remote", "REMOTE-2"])
def test_any_section_that_begins_like_an_end_is_one_as_for_charon(name: str) -> None:
    found = one(f"connections {{ a {{ remote_addrs = h\n {name} {{ id = x\n pubkeys = x.pub\n }} }} }}")
    assert (found.remote.section, found.remote.identity, found.remote.keys, found.remote.rounds) == (
        (name, "x", ("x.pub",), 1)
    )
    assert found.local.rounds == 0
    both = one(f"connections {{ a {{ {name} {{ id = x }}\n remotes {{ auth = psk }} }} }}")
    assert both.remote.rounds == 2


def test_the_overlay_says_what_it_is() -> None:
    accepted = {"gw3": ("remote", ("gw3.pub",)), "gw2": ("remote-1", ("gw2.pub", "gw2.pub.next"))}
    expected = """# Written by vpnops.keys while a key is being changed, and removed by it afterwards.
connections {
  gw2 {
    remote-1 {
      pubkeys = "gw2.pub, gw2.pub.next"
    }
  }
  gw3 {
    remote {
      pubkeys = "gw3.pub"
    }
  }
  gw2-vpnops-keys : connections.gw2 {
    over_time = 601s
    local {
      pubkeys = "new.pub"
    }
    children {
      net {
        start_action = none
      }
    }
  }
}
"""
    assert overlay(accepted, {"gw2": Bridge("local", ("new.pub",), ("net",))}) == expected


def test_odd_names_of_files_survive_the_overlay() -> None:
    keys = ('the "new" one.pub', "back\\slash.pub", "} # {.pub")
    assert one(overlay({"a": ("remote", keys)}, {})).remote.keys == keys


def test_the_overlay_changes_nothing_else() -> None:
    text = overlay({"gw2": ("remote-1", ("gw2.pub", "gw2.pub.next"))}, {})
    before, after = one(ONE), one(ONE + "include o\n", {"o": {"o": text}})
    assert after.remote.keys == ("gw2.pub", "gw2.pub.next")
    assert (after.local, after.children, after.reachable) == (before.local, before.children, before.reachable)


def test_a_bridge_is_its_connection_but_does_not_start() -> None:
    text = overlay({}, {"gw2": Bridge("local", ("new.pub",), ("net", "other"))})
    both = read(ONE + text)
    assert [item.name for item in connections(both)] == ["gw2"]
    both.sections["connections"].sections["bridge"] = both.sections["connections"].sections.pop("gw2" + BRIDGE)
    plain, bridge = connections(both)
    assert (bridge.remote, bridge.reachable, bridge.local.identity) == (plain.remote, plain.reachable, "gw1")
    assert bridge.local.keys == ("new.pub",)
    assert ([child.name for child in bridge.children], bridge.starts) == (["net", "other"], False)


def test_nothing_to_say_is_no_file() -> None:
    assert overlay({}, {}) == ""


LETTERS = string.ascii_letters + string.digits + "-_"
NAMES = st.text(LETTERS, min_size=1, max_size=8).filter(lambda name: name != "include")
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["Cs", "Cc"]), max_size=20)
NOISE = st.sampled_from(["", "\n", "  # a comment { with } braces\n", "\t", "\n\n#\n"])


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> tuple[str, dict[str, Any]]:
    """A configuration text with the tree that it means."""
    text = draw(NOISE)
    tree: dict[str, Any] = {}
    for name in draw(st.lists(NAMES, unique=True, max_size=3)):
        if depth and draw(st.booleans()):
            inner, tree[name] = draw(trees(depth=depth - 1))
            text += f"{name} {{\n{inner}\n}}"
        else:
            tree[name] = value = draw(VALUES)
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            text += f'{name} = "{quoted}"\n'
        text += draw(NOISE)
    return text, tree


def as_tree(section: Section) -> dict[str, Any]:
    return {**section.values, **{name: as_tree(under) for name, under in section.sections.items()}}


@given(trees())
def test_whatever_is_written_is_read(written: tuple[str, dict[str, Any]]) -> None:
    text, tree = written
    assert as_tree(read(text)) == tree


@given(st.text(string.printable, max_size=60))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    sentence = "The templates of"
    try:
        connections(read(text))
    except VpnKeysError as error:
        sentence = str(error)
    assert sentence.startswith(("/etc/swanctl/swanctl.conf, line ", "The templates of"))


@given(NAMES, st.lists(VALUES.map(lambda name: name.replace(",", "").strip()).filter(bool), min_size=1, max_size=3))
def test_any_file_names_survive_the_overlay(name: str, keys: list[str]) -> None:
    assert one(overlay({name: ("remote", tuple(keys))}, {})).remote.keys == tuple(keys)
