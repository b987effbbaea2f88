"""What the desk is made of: text that can't pretend, tokens that can't be guessed, addresses that stay."""

from datetime import UTC, datetime, timedelta

import pytest

from services.compliance.desk import guard, passwords, render, views
from services.compliance.desk.sessions import csrf_token_of, is_csrf_token, new_form_token
from services.compliance.domain.case import ActKind, CaseReason, CaseStatus
from services.compliance.importing import LIST_NAME
from services.compliance.queries import parse_cursor, parse_day_cursor
from tests.unit.compliance.office import DECIDE_BY, START, Office, suspended


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ann\u202eelliM", "Ann\ufffdelliM"),
        ("Ann\x00\x1b[31m", "Ann\ufffd\ufffd[31m"),
        ("مى\u200cخواهم", "مى\u200cخواهم"),
        ("<b>", "<b>"),
        ("Same town.\nAsked the branch.", "Same town.\nAsked the branch."),
    ],
)
def test_text_is_shown_without_what_would_disguise_it(text: str, shown: str) -> None:
    assert render.plain(text) == shown


def test_what_is_put_into_a_page_is_escaped() -> None:
    response = render.page(
        "error.html",
        home="/desk",
        title="<script>alert(1)</script>",
        detail='"><img src=x onerror=alert(1)>',
        person=None,
    )
    body = bytes(response.body).decode()
    assert "<script>alert" not in body
    assert "<img src=x" not in body
    assert "&lt;script&gt;" in body


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (123_456_789, "EUR", "1,234,567.89 EUR"),
        (5, "EUR", "0.05 EUR"),
        (1_000, "JPY", "1,000 JPY"),
        (7, "XYZ", "7 XYZ"),
    ],
)
def test_amounts_are_shown_with_their_decimals(minor: int, currency: str, shown: str) -> None:
    assert render.amount(minor, currency) == shown


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("/desk", True),
        ("/desk/cases/0192d3b4-5c6d-7000-8000-000000000000", True),
        ("", False),
        ("//evil.example/desk", False),
        ("https://evil.example/desk", False),
        ("/desk/../v1", False),
        ("/desk?next=//evil.example", False),
        ("/desk\\evil", False),
    ],
)
def test_signing_in_leads_to_pages_of_the_desk_only(path: str, is_ours: bool) -> None:
    assert guard.is_page_of_ours(path) is is_ours


def test_a_csrf_token_belongs_to_one_session() -> None:
    mine, theirs = new_form_token(), new_form_token()
    assert is_csrf_token(csrf_token_of(mine), mine)
    assert not is_csrf_token(csrf_token_of(theirs), mine)
    assert not is_csrf_token("", mine)
    assert not is_csrf_token("ünguessable", mine)


def test_passwords_are_kept_as_argon2id_and_known_again() -> None:
    kept = passwords.hash_password("correct horse")
    assert kept.startswith("$argon2id$")
    assert passwords.is_password("correct horse", kept)
    assert not passwords.is_password("correct horse", None)
    assert not passwords.is_password("x" * (passwords.LENGTH_MAX + 1), kept)
    assert not passwords.is_password("correct horse", "not a hash")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01", "_", "a_b_c", "2026-01-05T09:00:00+00:00_me"])
def test_a_cursor_that_no_page_gave_begins_at_the_beginning(text: str) -> None:
    assert parse_cursor(text) is None
    assert parse_day_cursor(text) is None


@pytest.mark.parametrize(("name", "is_fine"), [("ofac", True), ("my_list-2", True), ("Ofac", False), ("a b", False)])
def test_lists_have_plain_names(name: str, is_fine: bool) -> None:
    assert (LIST_NAME.fullmatch(name) is not None) is is_fine


@pytest.mark.parametrize(
    ("now", "deadline", "urgency"),
    [
        (START, "in 5 d 0 h", views.Urgency.LATER),
        (DECIDE_BY - timedelta(hours=3, minutes=5), "in 3 h 5 min", views.Urgency.SOON),
        (DECIDE_BY + timedelta(minutes=12), "12 min ago", views.Urgency.OVERDUE),
    ],
)
def test_the_queue_shows_how_near_a_deadline_is(now: datetime, deadline: str, urgency: views.Urgency) -> None:
    office = Office()
    office.decide(suspended())
    row = views.case_row(office.case(), now)
    assert (row.deadline, row.urgency) == (deadline, urgency)


def test_every_member_of_a_closed_list_has_words() -> None:
    assert set(views.STATUSES) == set(CaseStatus)
    assert set(views.ACTS) == set(ActKind)
    assert set(views.REASONS) >= set(CaseReason)
    assert views.case_row.__doc__
    assert render.moment(datetime(2026, 3, 1, 9, 5, tzinfo=UTC)) == "1 Mar 2026, 09:05 UTC"
