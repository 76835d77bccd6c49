"""Who leaves one kind of mail, or complains of it, still gets the other, where the policy says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stories.house import House
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """
[[stream]]
name = "news"
match = { list_id = "news.sender.example" }
[[stream]]
name = "offers"
match = { return_path = "bounces-offers@sender.example" }
[policy.complaint]
scope = "stream"
"""


def test_each_stream_has_suppressions_of_its_own(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.configuration.write_text(CONFIGURATION)
    news = b"List-Id: News <news.sender.example>\nFrom: news@sender.example"
    mails = {
        "left": b"From: leaver@example.com\nTo: bounces-offers+unsubscribe@sender.example\nSubject: unsubscribe\n\n",
        "angry": complaint("angry@example.com").replace(b"From: news@sender.example", news),
        "angry-at-all": complaint("furious@example.com"),
        "gone": dsn("gone@example.com").replace(b"From: news@sender.example", news),
    }
    for name, mail in mails.items():
        (tmp_path / f"{name}.eml").write_bytes(mail)
    done = house.run("ingest", *(f"{name}.eml" for name in mails))
    assert "warning" not in done.stderr

    entries = {(e["address"], e["scope"], e["reason"]) for e in house.json("suppress", "list", "--format", "jsonl")}
    assert entries == {
        ("leaver@example.com", "stream:offers", "unsubscribe"),
        ("angry@example.com", "stream:news", "complaint"),
        ("furious@example.com", "*", "complaint"),
        ("gone@example.com", "*", "bounce"),
    }
    house.run("check", "-q", "angry@example.com", "--stream", "offers")
    house.run("check", "-q", "angry@example.com", "--stream", "news", code=1)
    house.run("check", "-q", "leaver@example.com", "--stream", "offers", code=1)
    house.run("check", "-q", "leaver@example.com", "--stream", "news")
    house.run("check", "-q", "gone@example.com", "--stream", "offers", code=1)
