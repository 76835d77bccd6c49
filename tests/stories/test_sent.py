"""The send ledger as its users meet it: a file goes in, programs tell it, and bounces of what stands in it act at once."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

from tests.stories.house import House
from tests.stories.serving import serving
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = "[identity]\nledger = true\n"


def bounce(house: House, number: int, who: str) -> str:
    (house.folder / f"{number}.eml").write_bytes(dsn(who, original=f"<{number}@sender.example>"))
    return f"{number}.eml"


def test_bounces_of_what_was_sent_act_and_others_only_count(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.configuration.write_text(LEDGER)
    (tmp_path / "sent.csv").write_text(
        "Message_ID;recipient;stream\n<1@sender.example>;anna@example.com;news\n<2@sender.example>;nobody;news\n"
    )
    done = house.run("sent", "import", "sent.csv", code=65)
    assert "1 new, 0 known before, 1 bad" in done.stderr
    rejects = tmp_path / "sent.rejects.csv"
    assert rejects.read_text().splitlines()[0] == "line,reason,row"
    assert "3,recipient is no address" in rejects.read_text()
    assert "<2@sender.example>;nobody;news" in rejects.read_text()
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    again = house.run("sent", "import", "sent.csv", "--format", "json", code=65).stdout
    assert json.loads(again) == {"new": 0, "known": 1, "bad": 1, "rejects": "sent.rejects.csv"}
    before = (tmp_path / "sent.csv").read_bytes()
    refused = house.run("sent", "import", "sent.csv", "--rejects", "./sent.csv", code=2).stderr
    assert "is the file of sent mails itself" in refused
    assert "--rejects" in refused
    assert (tmp_path / "sent.csv").read_bytes() == before
    line = json.dumps({"message_id": "3@sender.example", "recipient": "carla@example.com", "sent_at": "2026-11-20"})
    assert "1 new" in house.run("sent", "import", "-", stdin=line.encode()).stderr

    house.run("ingest", bounce(house, 1, "anna@example.com"), bounce(house, 2, "bert@example.com"))
    house.run("ingest", bounce(house, 3, "dora@example.com"))

    (entry,) = house.json("suppress", "list", "--format", "jsonl")
    assert entry["address"] == "anna@example.com"
    (event,) = house.json("status", "anna@example.com", "--format", "json")[0]["events"]
    assert event["trust"] == "matched"


def test_without_a_ledger_nothing_is_imported(tmp_path: Path) -> None:
    house = House(tmp_path)
    (tmp_path / "sent.csv").write_text("message_id,recipient\n<1@sender.example>,anna@example.com\n")
    assert "[identity] ledger = true" in house.run("sent", "import", "sent.csv", code=78).stderr
    assert not house.database.exists()


def test_programs_tell_the_server_what_they_sent(tmp_path: Path) -> None:
    house = House(tmp_path)
    made = house.run("serve", "--new-token", "write", "the-sender")
    (tmp_path / "tokens").write_text(made.stderr.strip().rpartition(": ")[2])
    (tmp_path / "tokens").chmod(0o600)
    token = made.stdout.strip()
    mails = [{"message_id": f"<{n}@sender.example>", "recipient": f"u{n}@example.com"} for n in range(3)]
    with serving(tmp_path, 'tokens_file = "tokens"\n', LEDGER) as served:
        assert served.request("POST", "/v1/sent", {"messages": mails}, token=token)[:2] == (200, {"new": 3})
        assert served.request("POST", "/v1/sent", {"messages": mails}, token=token)[:2] == (200, {"new": 0})
        assert served.request("POST", "/v1/sent", mails[0] | {"stream": "news"}, token=token)[:2] == (200, {"new": 0})
        assert served.request("POST", "/v1/sent", {"messages": mails})[0] in (401, 403)
        bad = [mails[0], {"message_id": "<9@sender.example>", "recipient": 7}]
        status, answer, _ = served.request("POST", "/v1/sent", {"messages": bad}, token=token)
        assert (status, answer["detail"]) == (422, "messages[1]: recipient is no text")
        assert served.request("POST", "/v1/sent", {"messages": mails[:1] * 10_001}, token=token)[0] == 422
    house.run("ingest", bounce(house, 2, "u2@example.com"))
    house.run("check", "-q", "u2@example.com", code=1)
