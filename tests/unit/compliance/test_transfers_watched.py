"""Monitoring and what moves without a payment: transfers, conversions, what is taken back, refunds."""

from datetime import timedelta

import pytest

from libs.common import ids
from libs.common.record import replace
from schemas.accounts.events import PostedTransfer, PostedTransferKind, TransfersPosted
from schemas.payments.events import PaymentInitiated, RefundSettled
from services.compliance.domain.alerting import LookForCycle
from services.compliance.monitoring.links import Link
from services.compliance.monitoring.movements import micros_of, movements_of
from services.compliance.monitoring.parameters import Scenario
from services.compliance.store import watching
from tests.unit.compliance.office import ACCOUNT, CREDITOR_ACCOUNT, CUSTOMER, START, Office
from tests.unit.compliance.test_outsiders import NOSTRO, elsewhere, order, settled

EVE, FAY, HOUSE = ids.named("eve"), ids.named("fay"), None
K = PostedTransferKind
HOUR = timedelta(hours=1)


def leg(
    payer: str | None,
    payee: str | None,
    dollars: int = 9_500,
    *,
    kind: PostedTransferKind = K.BOOKING,
    currency: str = "USD",
    after: timedelta = timedelta(0),
) -> PostedTransfer:
    return PostedTransfer(
        transfer_id=ids.new(),
        kind=kind,
        debit_account_id=ACCOUNT,
        credit_account_id=CREDITOR_ACCOUNT,
        amount_minor=dollars * 100,
        currency=currency,
        debit_customer_id=payer,
        credit_customer_id=payee,
        # What a client says of when it counts hides nothing.
        effective_at=START - timedelta(days=300),
        recorded_at=START + after,
    )


def posted(*legs: PostedTransfer) -> TransfersPosted:
    return TransfersPosted(
        link_id=legs[0].transfer_id, account_id=ACCOUNT, transfers=legs, posted_at=legs[0].recorded_at
    )


def raised(office: Office) -> set[tuple[str, Scenario]]:
    return {(alert.customer_id, alert.scenario) for alert in office.alerts.values()}


def test_money_that_a_client_moves_between_two_customers_again_and_again_is_seen() -> None:
    office = Office()
    transfers = [posted(leg(CUSTOMER, EVE, 9_000, after=n * HOUR)) for n in range(5)]
    office.decide(*transfers)
    assert {(CUSTOMER, Scenario.ROUND_AMOUNTS), (EVE, Scenario.ROUND_AMOUNTS)} <= raised(office)
    assert len(office.watched[CUSTOMER].history.times) == 5
    # Also when it comes again with another id.
    known = office.watched[CUSTOMER].history
    office.decide(*transfers)
    assert office.watched[CUSTOMER].history == known
    assert len(office.alerts) == len(raised(office))


def test_what_comes_by_a_transfer_and_goes_on_by_another_passes_through() -> None:
    office = Office()
    office.decide(posted(leg(EVE, CUSTOMER, after=HOUR)))
    # Whichever comes first.
    office.decide(posted(leg(CUSTOMER, FAY, 9_400, kind=K.CAPTURE, after=2 * HOUR)))
    assert (CUSTOMER, Scenario.RAPID_MOVEMENT) in raised(office)


@pytest.mark.parametrize(
    "legs",
    [
        (leg(HOUSE, CUSTOMER, kind=K.FUNDING),),
        (leg(CUSTOMER, HOUSE),),
        (leg(CUSTOMER, CUSTOMER),),
        (leg(HOUSE, HOUSE),),
        # Own money, in another currency.
        (leg(CUSTOMER, HOUSE, kind=K.CONVERSION), leg(HOUSE, CUSTOMER, kind=K.CONVERSION, currency="EUR")),
    ],
)
def test_what_is_no_money_from_one_customer_to_another_is_not_watched(legs: tuple[PostedTransfer, ...]) -> None:
    assert list(movements_of(posted(*legs))) == []
    assert watching.customer_ids([posted(*legs)], {}) == set()


def test_a_conversion_is_one_movement_of_what_was_given_and_one_that_is_taken_back_another() -> None:
    given, got = leg(CUSTOMER, HOUSE, kind=K.CONVERSION), leg(HOUSE, EVE, 8_000, kind=K.CONVERSION, currency="EUR")
    (there,) = movements_of(posted(given, got))
    assert (there.payment_id, there.debtor_customer_id, there.creditor_customer_id) == (
        given.transfer_id,
        CUSTOMER,
        EVE,
    )
    assert (there.amount_minor, there.currency) == (950_000, "USD")
    back = (
        leg(EVE, HOUSE, 8_000, kind=K.REVERSAL, currency="EUR"),
        leg(HOUSE, CUSTOMER, kind=K.REVERSAL),
    )
    (taken_back,) = movements_of(posted(*back))
    assert (taken_back.debtor_customer_id, taken_back.creditor_customer_id) == (EVE, CUSTOMER)
    assert (taken_back.amount_minor, taken_back.currency) == (800_000, "EUR")


def test_customers_who_swap_currencies_have_moved_money_both_ways() -> None:
    swap = posted(leg(CUSTOMER, EVE), leg(EVE, CUSTOMER, 8_000, currency="EUR"))
    assert [(one.debtor_customer_id, one.creditor_customer_id) for one in movements_of(swap)] == [
        (CUSTOMER, EVE),
        (EVE, CUSTOMER),
    ]
    on = posted(leg(CUSTOMER, EVE), leg(EVE, FAY, 8_000, currency="EUR"))
    assert [(one.debtor_customer_id, one.creditor_customer_id) for one in movements_of(on)] == [
        (CUSTOMER, EVE),
        (EVE, FAY),
    ]


def test_a_transfer_that_is_taken_back_is_a_movement_the_other_way_round() -> None:
    office = Office()
    office.decide(posted(leg(CUSTOMER, EVE)), posted(leg(EVE, CUSTOMER, kind=K.REVERSAL, after=HOUR)))
    history = office.watched[CUSTOMER].history
    assert [history.is_out(place) for place in range(2)] == [True, False]
    assert (EVE, Scenario.RAPID_MOVEMENT) in raised(office)


def test_linked_transfers_are_in_the_order_of_the_books_and_may_be_a_cycle() -> None:
    office = Office()
    linked = posted(leg(CUSTOMER, EVE), leg(EVE, FAY), leg(FAY, CUSTOMER))
    office.decide(linked)
    office.decide(LookForCycle(payment_id=linked.transfers[-1].transfer_id, customer_id=CUSTOMER))
    assert (CUSTOMER, Scenario.CYCLE) in raised(office)


def test_what_an_earlier_release_told_names_no_customers_and_is_passed_over() -> None:
    office = Office()
    office.decide(posted(leg(None, None)), refund(debtor="", creditor=""))
    assert office.watched == {}


def refund(payment_id: str = ids.named("p"), *, debtor: str = CUSTOMER, creditor: str = EVE) -> RefundSettled:
    return RefundSettled(
        refund_id=ids.new(),
        payment_id=payment_id,
        debtor_account_id=ACCOUNT,
        creditor_account_id=CREDITOR_ACCOUNT,
        debtor_customer_id=debtor,
        creditor_customer_id=creditor,
        amount_minor=950_000,
        currency="USD",
        transfer_id=ids.new(),
        settled_at=START + HOUR,
    )


def test_a_refund_goes_from_whoever_was_paid_to_whoever_had_paid() -> None:
    (back,) = movements_of(refund())
    assert (back.debtor_customer_id, back.creditor_customer_id, back.at_micros) == (
        EVE,
        CUSTOMER,
        micros_of(START + HOUR),
    )


def test_a_refund_from_elsewhere_comes_from_whom_the_payment_went_to() -> None:
    office, out = Office(), order(CUSTOMER, elsewhere("Paul"), 9_500)
    id_ = ids.new()
    office.decide(PaymentInitiated(payment_id=id_, order=out, initiated_at=START))
    office.decide(settled(id_, out))
    office.decide(refund(id_, creditor=NOSTRO))
    history = office.watched[CUSTOMER].history
    assert office.watched.keys() == {CUSTOMER}
    assert [history.is_out(place) for place in range(2)] == [True, False]
    assert history.counterparts[0] == history.counterparts[1]


def test_the_network_adds_up_transfers_like_payments() -> None:
    office, links = Office(), list[Link]()
    office.observe = lambda work, _: links.extend(work.monitored.links)
    office.decide(posted(leg(CUSTOMER, EVE, 100)), posted(replace(leg(CUSTOMER, EVE, 200), kind=K.CAPTURE)))
    assert [(one.debtor_customer_id, one.creditor_customer_id, one.cents) for one in links] == [
        (CUSTOMER, EVE, 100_00),
        (CUSTOMER, EVE, 200_00),
    ]
