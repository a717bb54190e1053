# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times, the numbers of the pictures, and the page for whatever anybody may have named."""

from __future__ import annotations

import functools
import itertools
import math
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markupsafe import Markup, escape
from unit.fleet.samples import mesh as mesh_of
from unit.plugin_utils.key_report import samples

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import FleetStatus, status
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, folds, page, pictures, times

Attributes = list[tuple[str, str | None]]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
        ("2026-11-22T12:00:00+02:00", "2026-11-22T10:00:00Z"),
        ("2026-11-22", "2026-11-22T00:00:00Z"),
        ("06:51:40 UTC Aug 30 2026", "2026-08-30T06:51:40Z"),
        ("*06:51:40.123 CET Sun Aug 3 2026", "2026-08-03T06:51:40Z"),
    ],
)
def test_moments(text: str, iso: str) -> None:
    found = times.moment(text)
    assert found is not None
    assert times.iso(found) == iso


@pytest.mark.parametrize("text", [None, "", "yesterday", "99:51:40 UTC Aug 30 2026", "06:51:40 UTC Foo 30 2026"])
def test_no_moments(text: str | None) -> None:
    assert times.moment(text) is None


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_a_time_survives(when: datetime) -> None:
    moment = when.replace(tzinfo=timezone.utc, microsecond=0)
    assert times.moment(times.iso(moment)) == moment


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (77, "1 min 17 s"), (3600, "1 h"), (93784, "1 d 2 h"), (None, "-")],
)
def test_spans(seconds: int | None, words: str) -> None:
    assert times.span(seconds) == words


# -- pictures


def mesh(number: int) -> FleetStatus:
    """All is as it should be."""
    directory, observations = mesh_of(number)
    return status(Directory.from_result(directory), observations)


def rows(fleet: FleetStatus) -> list[dict[str, object]]:
    return list(fleet.to_result()["gateways"])


@pytest.mark.parametrize("number", range(2, pictures.FEW + 1))
def test_marks_of_the_circle_are_apart_and_inside(number: int) -> None:
    fleet = mesh(number)
    circle = pictures.circle(fleet, rows(fleet))
    assert circle is not None
    assert len(circle["edges"]) == number * (number - 1) // 2
    for one, other in itertools.combinations(circle["nodes"], 2):
        assert math.dist((one["x"], one["y"]), (other["x"], other["y"])) > 40
    for node in circle["nodes"]:
        assert 20 < node["x"] < circle["width"] - 20
        assert 20 < node["y"] < circle["height"] - 20
        assert 10 < node["label_y"] < circle["height"] - 4


@pytest.mark.parametrize(("number", "sort"), [(1, ""), (2, "circle"), (16, "circle"), (17, "matrix"), (41, "")])
def test_which_picture(number: int, sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MANY", 40)
    fleet = mesh(number)
    assert (pictures.circle(fleet, rows(fleet)) is not None) == (sort == "circle")
    assert (pictures.cells(fleet) is not None) == (sort == "circle")
    assert (pictures.matrix(fleet) is not None) == (sort == "matrix")


def test_the_matrix_shows_every_pair_that_is_not_right() -> None:
    """What is drawn, taken apart again, is what the mesh says; what is right costs nothing."""
    troubled = samples.troubled(30)
    fleet = build.fleet_of(troubled)
    assert fleet is not None
    drawn = pictures.matrix(fleet)
    assert drawn is not None
    squares = {
        (round((run["y"] - drawn["top"]) / drawn["size"]), round((run["x"] - drawn["left"]) / drawn["size"]) + step):
        run["state"]
        for run in drawn["runs"]
        for step in range(round(run["width"] / drawn["size"]))
    }  # fmt: skip
    names = fleet.names
    assert squares == {
        (row, column): cell.state
        for row, holder in enumerate(names)
        for column, owner in enumerate(names)
        if owner != holder and (cell := fleet.cell(holder, owner)).state != "right"
    }
    calm = pictures.matrix(mesh(30))
    assert calm is not None
    assert calm["runs"] == []


def test_the_strip_stays_in_its_frame() -> None:
    rotations = [
        samples.rotation(number, f"gw{number % 20}", begun_at=f"2026-{number % 12 + 1:02d}-01T00:00:00Z")
        for number in range(60)
    ]
    strip = pictures.strip(rotations, samples.AT)
    assert strip is not None
    assert len(strip["lanes"]) == pictures.LANES
    assert strip["left_out"] == 4
    assert all(0 <= mark["x"] <= 100 and 0 < mark["y"] < strip["height"] for mark in strip["marks"])
    assert pictures.strip([], samples.AT) is None


@pytest.mark.parametrize(
    ("begun", "at", "day", "texts"),
    [
        ("2026-06-01T00:00:00Z", "2026-11-22T12:00:00Z", "", ["2026-06-01", "2026-08-27", "2026-11-22"]),
        ("2026-11-22T01:10:00Z", "2026-11-22T12:00:00Z", "2026-11-22", ["01:10", "06:35", "12:00"]),
        ("2026-11-21T23:00:00Z", "2026-11-22T12:00:00Z", "2026", ["11-21 23:00", "11-22 05:30", "11-22 12:00"]),
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:40Z", "2026-11-22", ["12:00:00", "12:00:20", "12:00:40"]),
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z", "2026-11-22", ["12:00:00"]),
    ],
)
def test_the_axis_says_what_tells_its_moments_apart(begun: str, at: str, day: str, texts: list[str]) -> None:
    strip = pictures.strip([samples.rotation(1, "gw1", begun_at=begun)], at)
    assert strip is not None
    assert (strip["day"], [tick["text"] for tick in strip["ticks"]]) == (day, texts)


MOMENTS = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1))  # noqa: DTZ001


@given(MOMENTS, st.integers(0, 10**8))
def test_no_text_is_on_the_axis_twice(begun: datetime, seconds: int) -> None:
    first = begun.replace(tzinfo=timezone.utc)
    at = times.iso(first + timedelta(seconds=seconds))
    strip = pictures.strip([samples.rotation(1, "gw1", begun_at=times.iso(first))], at)
    assert strip is not None
    texts = [tick["text"] for tick in strip["ticks"]]
    assert len(set(texts)) == len(texts)


# -- rows that fold


def test_many_good_rows_fold_and_others_never() -> None:
    report = build.build(samples.large(), None)
    parts = folds.servers(report["units"], 2048)
    assert [(len(one.shown), len(one.folded)) for one in parts] == [(0, 10)] * 6
    for change in (
        {"saved": False}, {"problem": "no answer"}, {"staged": "ab"}, {"acks_missed": 1}, {"fingerprint": "ab"},
        {"fingerprint": None}, {"size": 1024},
    ):  # fmt: skip
        unit = report["units"][0]
        bad = {**unit["key_servers"][3], **change}
        units = [{**unit, "key_servers": [*unit["key_servers"], bad]}, *report["units"][1:]]
        assert folds.servers(units, 2048)[0].shown == [bad], change


def test_few_good_rows_do_not_fold() -> None:
    report = build.build(samples.inputs(key_servers=samples.many_servers(2, 6)), None)
    assert [len(one.folded) for one in folds.servers(report["units"], 2048)] == [0, 0]


@pytest.mark.parametrize("number", [8, 60])
def test_every_gateway_and_key_with_a_finding_is_shown(number: int) -> None:
    """What folds has no finding but those of its peers."""
    inputs = samples.troubled(number)
    fleet = build.fleet_of(inputs)
    assert fleet is not None
    report = build.build(inputs, fleet)
    rows = folds.apart(report["mesh"]["gateways"], folds.good_gateway, 0)
    assert [*rows.shown, *rows.folded] != []
    shown = {row["gateway"] for row in rows.shown}
    assert {"gw1", "gw2", "gw3", f"gw{number}"} <= shown  # rotating, pending, revoked, unreachable
    keys = folds.apart(report["keys"], folds.good_key, 0)
    good = [(key["accepted_by"]["count"], key["weak"], key["period"]) for key in keys.folded]
    assert set(good) == {(0, False, "in time")}
    assert any(key["weak"] for key in keys.shown)


@pytest.mark.parametrize("inputs", [samples.large(), samples.troubled(8)], ids=["large", "small"])
def test_each_legend_is_there_once(inputs: build.Inputs) -> None:
    text = " ".join(read(render(inputs)).text)
    assert text.count("Equal letters are equal keys") == 1
    assert text.count("stores the next key beside the current one") == 1


# -- names


@pytest.mark.parametrize(("what", "text"), [(0, "0 keys"), (1, "1 key"), (["a", "b"], "2 keys")])
def test_one_is_singular(what: int | list[str], text: str) -> None:
    assert page.number(what, "key") == text


@given(st.text(max_size=60))
def test_a_text_is_kept_however_it_is_broken(text: str) -> None:
    assert "".join(read(page.unbroken(text)).text) == "".join(read(str(escape(page.visible(text)))).text)


def test_what_is_broken_where() -> None:
    assert page.unbroken("ks1, ks-2 <b>") == 'ks1, <span class="name">ks-2</span> <span class="name">&lt;b&gt;</span>'
    assert page.unbroken("x" * 33) == f'<span class="long">{"x" * 33}</span>'
    assert page.unbroken(Markup('<code title="a-b">c-d</code>')) == (
        '<code title="a-b"><span class="name">c-d</span></code>'
    )


# -- the page


class Reader(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag == "span" and attrs in ([("class", "name")], [("class", "long")]):
            return  # how a word is broken depends on the word
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def render(inputs: build.Inputs) -> str:
    fleet = build.fleet_of(inputs)
    return page.render(build.build(inputs, fleet), fleet)


NASTY = ("</style><script>", '"><img src=x>', "'><b>", "<!--", "&lt;", "{{ 7 * 7 }}", "{host}")


@functools.cache
def plain_tags() -> list[str]:
    return read(render(samples.hostile("plain"))).tags


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=40) | st.sampled_from(NASTY))
def test_no_name_changes_the_page(name: str) -> None:
    """Whatever things are called, the elements are the same as for a plain name, and the page stays ASCII."""
    assume(name != "rsa")  # an algorithm, which is judged by its size
    html = render(samples.hostile(name))
    assert html.isascii()
    assert read(html).tags == plain_tags()


def test_nothing_is_fetched() -> None:
    found = read(render(samples.troubled(16)))
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & set(found.tags)
    fetching = [value for name, value in found.attributes if name in ("src", "href", "xlink:href", "action", "data")]
    assert fetching
    assert all(value and value.startswith(("#", "data:,")) for value in fetching)
    assert not [name for name, dummy in found.attributes if name.startswith("on")]


def test_control_characters_are_shown() -> None:
    html = render(samples.inputs(title="a\u202eb\0c\nd"))
    assert "a\\u202eb\\x00c\\nd" in html
