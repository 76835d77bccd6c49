"""Lists in and out: `filter` and `export` as their users have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stories.house import House

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A folder whose list has one address, one domain and one entry that is for one stream."""
    home = House(tmp_path)
    home.run("suppress", "add", "bad@example.com", "@gone.example")
    home.run("suppress", "add", "news@example.com", "--scope", "stream:news", "--reason", "unsubscribe")
    return home


def test_filter_lets_through_what_may_be_mailed(house: House) -> None:
    (house.folder / "in.csv").write_bytes(
        b"id;email\r\n1;good@example.com\r\n2;BAD@example.com\r\n3;news@example.com\r\n4;x@gone.example\r\n5;none\r\n"
    )

    done = house.run("filter", "in.csv", "-o", "out.csv", "--rejected", "no.csv")

    assert done.stdout == ""
    assert done.stderr == "5 rows: 1 kept, 4 rejected (2 manual, 1 unsubscribe, 1 invalid)\n"
    assert (house.folder / "out.csv").read_bytes() == b"id;email\r\n1;good@example.com\r\n"
    assert [line.split(";")[2] for line in (house.folder / "no.csv").read_text().splitlines()] == [
        "rejected_reason",
        "manual",
        "unsubscribe",
        "manual",
        "invalid",
    ]


def test_filter_reads_standard_input_and_asks_for_one_stream(house: House) -> None:
    done = house.run("filter", "--stream", "other", "--jobs", "2", stdin=b"news@example.com\nbad@example.com\n")

    assert done.stdout == "news@example.com\n"


def test_a_dry_run_of_filter_counts_and_writes_nothing(house: House) -> None:
    (house.folder / "list").write_text("bad@example.com\na@example.com\n")

    done = house.run("filter", "list", "-o", "list", "--rejected", "no", "--dry-run")

    assert done.stderr == "2 rows: 1 kept, 1 rejected (1 manual)\n"
    assert (house.folder / "list").read_text() == "bad@example.com\na@example.com\n"
    assert not (house.folder / "no").exists()
    house.run("filter", "list", "-o", "list")
    assert (house.folder / "list").read_text() == "a@example.com\n"


def test_filter_says_what_is_wrong_with_a_list_and_leaves_no_half_of_one(house: House) -> None:
    (house.folder / "in.csv").write_text('id,email\n1,a@example.com\n2,"b@example.com\n')

    assert "never closed" in house.run("filter", "in.csv", "-o", "out.csv", code=65).stderr
    assert "no column 'phone'" in house.run("filter", "in.csv", "--column", "phone", code=2).stderr
    assert "cannot be read" in house.run("filter", "none.csv", code=2).stderr
    assert not (house.folder / "out.csv").exists()


def test_an_extension_is_taken_off_where_the_configuration_says_so(house: House) -> None:
    (house.folder / "bounceproc.toml").write_text("[lookup]\nextension = true\n")

    done = house.run("filter", stdin=b"bad+tag@example.com\nok+bad@example.com\n")

    assert done.stdout == "ok+bad@example.com\n"


def test_export_tells_its_formats_and_writes_them(house: House) -> None:
    assert "rspamd" in house.run("export", "--format", "list").stdout
    assert "There are csv, jsonl" in house.run("export", "--format", "xml", code=2).stderr
    done = house.run("export", "--format", "ses", "-o", "ses.csv")

    assert sorted((house.folder / "ses.csv").read_text().splitlines()) == [
        "bad@example.com,COMPLAINT",
        "news@example.com,COMPLAINT",
    ]
    assert "1 whole domains are not in it" in done.stderr
    assert "2 lines in ses.csv, version 3" in done.stderr
    house.run("suppress", "remove", "bad@example.com")
    since = house.run("export", "--format", "ses", "--since", "3", "-o", "ses.csv")
    assert "1 addresses were lifted since then" in since.stderr
