"""A report's stream is found by the sign that is configured for it."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from bounceproc.classify.classifier import default_classifier
from bounceproc.identity import Identifier, OurMail
from bounceproc.pipeline import meant
from bounceproc.rawmessage import RawMessage
from bounceproc.returnpath import make
from bounceproc.streams import Stream, Streams
from tests.unit.mails import complaint, dsn

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECRET = "a secret for tests only"
LIST_ID = Stream("news", "list_id", "news.example.com")
PATH = Stream("news", "return_path", "bounces-news@example.com")
DOMAIN = Stream("news", "return_path", "news.example.com")
FEEDBACK = Stream("news", "feedback_id", "Newsletter")
HEADER = Stream("news", "header", "X-Stream: The News")


def told(message: bytes, *streams: Stream, delimiters: str = "+", secrets: tuple[str, ...] = ()) -> str | None:
    ours = pickle.loads(pickle.dumps(OurMail(secrets, Streams(streams, delimiters))))
    raw = RawMessage("m", message, NOW)
    (event,) = meant(raw, default_classifier(), None, Identifier(ours, lambda: NOW)).events
    return event.stream


def copied(field: str, message: bytes = b"") -> bytes:
    return (message or dsn()).replace(b"From: news@sender.example", f"{field}\nFrom: news@sender.example".encode())


@pytest.mark.parametrize(
    ("stream", "field"),
    [
        (LIST_ID, "List-Id: The news <NEWS.example.com>"),
        (LIST_ID, "List-Id: news.example.com"),
        (Stream("news", "list_id", "<news.example.com>"), "List-Id: <news.example.com>"),
        (PATH, "Return-Path: <bounces-news@example.com>"),
        (PATH, "Return-Path: <Bounces-News+anna=example.org@Example.com>"),
        (PATH, "Return-Path: <prvs=0123456789=bounces-news@example.com>"),
        (PATH, "Return-Path: <SRS0=abcd=XY=example.com=bounces-news@forwarder.example>"),
        (DOMAIN, "Return-Path: <whatever@news.example.com>"),
        (Stream("news", "return_path", "@news.example.com"), "Return-Path: <a@news.example.com>"),
        (FEEDBACK, "Feedback-ID: 17:newsletter:customer:example"),
        (Stream("news", "feedback_id", "17:newsletter:x:example"), "Feedback-ID: 17:newsletter:x:example"),
        (HEADER, "x-stream:  the\n  news"),
    ],
)
def test_each_sign_is_known_in_the_returned_copy(stream: Stream, field: str) -> None:
    assert told(copied(field), stream) == "news"
    assert told(copied(field, complaint()), stream) == "news"
    assert told(dsn(), stream) is None


@pytest.mark.parametrize(
    ("stream", "field"),
    [
        (LIST_ID, "List-Id: <old.news.example.com>"),
        (LIST_ID, "List-Id: news.example.com <other.example.com>"),
        (PATH, "Return-Path: <bounces-news2@example.com>"),
        (PATH, "Return-Path: <x+bounces-news@example.com>"),
        (DOMAIN, "Return-Path: <a@old.news.example.com>"),
        (FEEDBACK, "Feedback-ID: 17:newsletters:customer:example"),
        (HEADER, "X-Stream: The Newspaper"),
        (HEADER, "X-Stream: " + "The News " * 200),
    ],
)
def test_what_only_resembles_a_sign_is_none(stream: Stream, field: str) -> None:
    assert told(copied(field), stream) is None


def test_the_address_that_the_report_was_sent_to_is_a_sign_too() -> None:
    assert told(b"Delivered-To: bounces-news+x@example.com\n" + dsn(), PATH) == "news"
    assert told(b"Delivered-To: bounces-news-x@example.com\n" + dsn(), PATH, delimiters="") is None


def test_the_first_of_several_is_it() -> None:
    message = copied("List-Id: <news.example.com>\nX-Stream: The News")
    other = HEADER._replace(name="other")
    assert told(message, other, LIST_ID) == "other"
    assert told(message, LIST_ID, other) == "news"
    assert told(message, LIST_ID, LIST_ID._replace(name="later")) == "news"


def test_the_stream_of_a_valid_token_beats_what_the_copy_says() -> None:
    message = copied("List-Id: <news.example.com>")
    path = make("user@example.com", "bounces@example.com", secrets=[SECRET], now=NOW, stream="receipts")
    signed = f"Delivered-To: {path}\n".encode() + message
    assert told(signed, LIST_ID, secrets=(SECRET,)) == "receipts"
    assert told(signed, LIST_ID, secrets=("another secret, not it",)) == "news"
    plain = make("user@example.com", "bounces@example.com", secrets=[SECRET], now=NOW)
    assert told(f"Delivered-To: {plain}\n".encode() + message, LIST_ID, secrets=(SECRET,)) == "news"
