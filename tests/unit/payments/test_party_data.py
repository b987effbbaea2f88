"""What the law asks to be known about the parties: a payment waits for it, and goes on by itself when it is there."""

from datetime import timedelta

import pytest

from libs.common.record import Record, replace
from schemas.payments.events import EncryptedPersonalData, InternalReason, PaymentDataSupplied, PaymentSuspended
from services.payments.domain.party_data import SupplyData, Told
from services.payments.domain.payment import PaymentState
from services.payments.domain.refusals import RefusalReason
from services.payments.queries import payment_view
from tests.unit.payments.story import MISSING, PAYMENT, SUPPLY, WORDS, Story


def later(story: Story, words: str) -> Story:
    """What is said a second after what was said before: a screening is a newer one."""
    story.now += timedelta(seconds=1)
    return story.hears(words)


def missing(story: Story) -> list[str]:
    """What its client is told is missing."""
    return list(payment_view(story.payment, is_staff=False, now=story.now)["missing"])


def test_a_payment_without_the_data_is_suspended_for_that_reason_and_its_client_told() -> None:
    story = Story().hears("allow held incomplete")
    (told,) = story.events
    assert isinstance(told, PaymentSuspended)
    assert told.reasons == (InternalReason.PARTY_DATA_MISSING,)
    assert told.evidence.compliance_missing == MISSING
    assert missing(story) == list(MISSING)


def test_it_asks_compliance_again_with_what_its_client_tells() -> None:
    story = Story().hears("allow held incomplete supply")
    (told,) = story.events
    assert isinstance(told, PaymentDataSupplied)
    assert told.order.personal.debtor.address == "1 Mill Race, Boston"  # type: ignore[union-attr]
    assert story.payment.state is PaymentState.SUSPENDED
    assert missing(story) == []


def test_a_client_is_not_asked_for_what_it_cannot_tell() -> None:
    story = Story().hears("allow held")
    story.decide(replace(WORDS["incomplete"](story.now), missing=(*MISSING, "creditor.wallet_ownership")))
    assert missing(story) == list(MISSING)


def test_it_goes_on_by_itself_when_nothing_is_missing_any_more() -> None:
    story = later(Story().hears("allow held incomplete supply"), "clear")
    assert story.told == ["PaymentResumed", "PaymentApproved"]


def test_it_waits_on_for_what_is_still_missing() -> None:
    story = later(Story().hears("allow held incomplete supply"), "incomplete")
    assert story.payment.state is PaymentState.SUSPENDED


@pytest.mark.parametrize("said", ["fraud? held incomplete", "held incomplete fraud?", "allow held incomplete taken"])
def test_what_people_are_to_decide_or_have_in_hand_waits_for_them(said: str) -> None:
    story = later(Story().hears(said), "clear")
    assert story.payment.state is PaymentState.SUSPENDED
    assert later(story, "taken approve").payment.state is PaymentState.APPROVED


def test_no_person_can_approve_it_before_the_data_are_there() -> None:
    story = Story().hears("allow held incomplete taken approve")
    assert story.payment.state is PaymentState.SUSPENDED
    assert later(story, "clear").payment.state is PaymentState.APPROVED


def test_whoever_is_found_listed_by_the_data_is_blocked() -> None:
    assert later(Story().hears("allow held incomplete supply"), "listed!").payment.state is PaymentState.BLOCKING


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("allow held incomplete reject", PaymentState.REJECTED),
        ("allow held incomplete cancel", PaymentState.CANCELLED),
        ("allow held incomplete wait wait wait", PaymentState.REJECTED),
        ("fraud! held incomplete", PaymentState.REJECTED),
        ("allow declined", PaymentState.REJECTED),
    ],
)
def test_its_money_may_be_given_back_for_it_is_nobodys_who_is_listed(said: str, state: PaymentState) -> None:
    story = Story().hears(said)
    assert story.payment.state is state
    assert missing(story) == []


def test_a_client_is_told_the_same_whether_or_not_its_money_is_being_blocked() -> None:
    story = Story().hears("allow held")
    found = replace(WORDS["listed!"](story.now), missing=MISSING)
    story.decide(found)
    assert story.payment.state is PaymentState.BLOCKING
    assert missing(story) == list(MISSING)
    assert missing(story.hears("supply")) == []


def test_the_same_told_twice_is_told_once() -> None:
    assert Story().hears("allow held incomplete supply supply").events == []


def test_of_parties_that_were_erased_nothing_is_taken_in() -> None:
    story = Story().hears("allow held incomplete")
    order = replace(story.payment.order, personal=EncryptedPersonalData(key_id="k", ciphertext=b"?"))
    story.state.put(replace(story.payment, order=order))
    story.decide(SUPPLY)
    assert story.refusal == RefusalReason.NOTHING_MISSING
    assert story.events == []


def born(day: str, *, client_id: str | None = "shop") -> SupplyData:
    return SupplyData(payment_id=PAYMENT, client_id=client_id, debtor=Told(birth_date=day), creditor=Told())


def with_birth() -> Story:
    """A payment whose client has told when its payer was born."""
    story = Story().hears("allow held incomplete")
    story.decide(born("1980-02-03"))
    return story


@pytest.mark.parametrize(
    ("reason", "story", "command"),
    [
        (RefusalReason.PAYMENT_UNKNOWN, Story(began=False), born("1980")),
        (RefusalReason.PAYMENT_UNKNOWN, Story().hears("declined"), born("1980", client_id="other")),
        (RefusalReason.PAYMENT_ENDED, Story().hears("declined"), born("1980")),
        (RefusalReason.NOTHING_MISSING, Story(), born("1980")),
        (RefusalReason.NOTHING_MISSING, Story().hears("listed? held"), born("1980")),
        (RefusalReason.ALREADY_KNOWN, with_birth(), born("1981-02-03")),
    ],
)
def test_data_are_refused_for_the_first_reason_that_applies(
    reason: RefusalReason, story: Story, command: Record
) -> None:
    story.decide(command)
    assert (story.refusal, story.events) == (reason, [])


def test_staff_may_tell_of_anybodys_payment() -> None:
    story = Story().hears("allow held incomplete")
    story.decide(born("1980-02-03", client_id=None))
    assert story.refusal is None
