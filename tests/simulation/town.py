"""A town in the simulated world: people who pay and are paid, analysts who decide, and much that goes wrong.

`Town(seed).play()` is one whole story: customers come, money comes in, payments are made in every
way, services go away and return, lists change, time passes; then everyone returns, and all comes to
its end. After every step the promises are checked.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from libs.common.batch import Decided
from libs.common.message import Command
from libs.common.money import format_amount
from libs.common.record import Record
from schemas.accounts.events import CustomerKind, CustomerPersonalData
from schemas.compliance.events import CaseDecision
from schemas.fraud.events import Label
from schemas.payments.events import Channel, Party, PaymentPersonalData
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.customers import (
    Close,
    Freeze,
    OpenAccount,
    RegisterCustomer,
    SetBounds,
    Thaw,
    account_id_of,
)
from services.accounts.domain.holds import PlaceHold, PostHold, PostHolds, VoidHold
from services.accounts.domain.journal import OF_PAYMENTS
from services.accounts.domain.ledger import HoldKind
from services.accounts.domain.refusals import RefusalReason
from services.accounts.domain.transfers import Book, Booking, Convert, Fund, Reverse
from services.accounts.handlers import handlers as accounts_handlers
from services.accounts.settings import AccountsSettings
from services.compliance.domain.acts import (
    CaseCommand,
    ConfirmDecision,
    ProposeDecision,
    ReleaseCase,
    ReturnCase,
    TakeCase,
    TakeOverCase,
)
from services.compliance.domain.case import Case, CaseStatus
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.people import Role
from services.compliance.handlers import handlers as compliance_handlers
from services.compliance.settings import ComplianceSettings
from services.fraud.domain.labelling import LabelPayment
from services.fraud.handlers import handlers as fraud_handlers
from services.fraud.settings import FraudSettings
from services.payments.domain.captures import CapturePayment
from services.payments.domain.fees import FeeRule, FeeSchedule
from services.payments.domain.intake import CancelPayment, CompleteBatch, InitiatePayment, OpenBatch, RefuseLine
from services.payments.domain.payment import Capture, Payment
from services.payments.domain.refund import RefundState
from services.payments.domain.refunds import RequestRefund
from services.payments.handlers import handlers as payments_handlers
from services.payments.settings import FeeTerms, PaymentsSettings
from tests.simulation.memories import (
    ALIKE,
    ALIKE_AT_TIMES,
    LISTED_AT_TIMES,
    AccountsMemory,
    ComplianceMemory,
    FraudMemory,
    PaymentsMemory,
    list_of_version,
    stricter_panel,
)
from tests.simulation.promises import Promises
from tests.simulation.world import Misfortunes, Service, World

NOWHERE = "postgresql://nowhere"
PAYMENTS = PaymentsSettings(
    database_url=NOWHERE,
    fees=(
        FeeTerms(currency="EUR", fixed="0.25", percentage=Decimal("1.4"), minimum="0.30", maximum="20.00"),
        FeeTerms(currency="USD", percentage=Decimal(1)),
    ),
)
ACCOUNTS = AccountsSettings(database_url=NOWHERE)
COMPLIANCE = ComplianceSettings(database_url=NOWHERE)
# A lower limit, so that a card payment of a large amount from abroad is enough to be blocked.
FRAUD = FraudSettings(database_url=NOWHERE)
HANDLERS = {
    "payments": payments_handlers(PAYMENTS),
    "fraud": fraud_handlers(FRAUD),
    "compliance": compliance_handlers(COMPLIANCE),
    "accounts": accounts_handlers(ACCOUNTS),
}

FEE_SCHEDULES: tuple[FeeSchedule, ...] = (
    PAYMENTS.fee_schedule,
    {"EUR": FeeRule(fixed_minor=1_00, share_ppm=25_000), "USD": FeeRule(fixed_minor=10, maximum_minor=10)},
    {},
)
"""What payers owe on top changes at times: from the next order on."""

LISTED = "Dmitrun Olegast Varkosky"
"""On the list as it is written here: screening blocks."""
BLOCKED_FUNDS = house_account_id(AccountKind.BLOCKED_FUNDS, "EUR")
ANALYSTS = ("eve", "finn", "gus")
CLIENTS = ("shop", "bank")
DEVICES = ("phone", "laptop", None, None)

TURNS = 180
BURST_MAX = 12
ROUNDS_MAX = 300
REPLAYS_MAX = 100

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
LEAPS = (SECOND, 20 * SECOND, 31 * SECOND, 31 * SECOND, 125 * SECOND, 125 * SECOND, HOUR, DAY, 3 * DAY, 40 * DAY)


class Resident(Record):
    """Someone who wants to be a customer."""

    name: str
    kind: CustomerKind = CustomerKind.PERSON
    birth_date: str | None = None
    currencies: tuple[str, ...] = ("EUR",)


RESIDENTS = (
    Resident(name="Ann Miller", birth_date="1980-02-03", currencies=("EUR", "USD", "JPY")),
    Resident(name="Ben Baker"),
    Resident(name="Brightwater Books", kind=CustomerKind.COMPANY, currencies=("EUR", "USD")),
    Resident(name="Cleo Martens", birth_date="1991-11-30"),
    Resident(name=LISTED_AT_TIMES, birth_date="1975-05-05"),
    Resident(name=ALIKE),
    Resident(name=LISTED),
)


def new_memories() -> dict[str, Any]:
    """Four empty databases."""
    return {
        "payments": PaymentsMemory(PAYMENTS.policy, PAYMENTS.fee_schedule),
        "fraud": FraudMemory(stricter_panel()),
        "compliance": ComplianceMemory(COMPLIANCE.policy),
        "accounts": AccountsMemory(ACCOUNTS.hold_lifetime),
    }


class Town:
    """One seed's story."""

    def __init__(self, seed: int, misfortunes: Misfortunes | None = None) -> None:
        self.world = World(seed, misfortunes)
        memories = new_memories()
        self.payments: PaymentsMemory = memories["payments"]
        self.compliance: ComplianceMemory = memories["compliance"]
        self.accounts: AccountsMemory = memories["accounts"]
        self.fraud: FraudMemory = memories["fraud"]
        for name, handlers in HANDLERS.items():
            self.world.add(handlers, memories[name])
        self.customers: dict[str, Resident] = {}
        self.requests: Counter[tuple[str, RefusalReason | None]] = Counter()
        """What the ledger itself was asked for, and why that was refused."""
        self.promises = Promises(self.world, self.payments, self.fraud, self.compliance, self.accounts)
        acts, weights = zip(*self._acts(), strict=True)
        self._acts_by_weight: tuple[tuple[Callable[[], None], ...], tuple[float, ...]] = (acts, weights)

    @property
    def chance(self) -> Random:
        return self.world.chance

    def play(self) -> "Town":
        """The whole story. Raises AssertionError where a promise is broken."""
        for resident in RESIDENTS:
            self._register(resident)
        self._deliver_all()
        for _ in range(4):
            self._fund()
        acts, weights = self._acts_by_weight
        for act in self.chance.choices(acts, weights, k=TURNS):
            act()
            self.promises.check()
        self._come_to_an_end()
        self.promises.check_at_the_end()
        return self

    def _acts(self) -> list[tuple[Callable[[], None], float]]:
        """What may happen next, and how often it does."""
        return [
            (self._deliver, 60),
            (self._burst, 5),
            (self._pay, 12),
            (self._upload, 1),
            (self._cancel, 3),
            (self._capture, 10),
            (self._refund, 5),
            (self._book, 3),
            (self._convert, 1.5),
            (self._reverse, 2),
            (self._reserve, 3),
            (self._spend_much, 1),
            (self._use_reserve, 2.5),
            (self._use_reserves, 1.5),
            (self._set_bounds, 1),
            (self._change_fees, 0.5),
            (self._work_on_a_case, 9),
            (self._hurry, 4),
            (self._fund, 1),
            (self._freeze, 3),
            (self._thaw, 3),
            (self._close, 0.5),
            (self._open, 0.3),
            (self._change_list, 1),
            (partial(self._change_list_behind, people=True), 0.5),
            (partial(self._change_list_behind, people=False), 1),
            (self._label, 1.5),
            (self._go_away, 1.5),
            (self._return, 2),
            (self._leap, 4),
            (self._replay, 1),
        ]

    # What clients and customers do

    def _register(self, resident: Resident) -> None:
        customer_id = self.world.new_id()
        self.customers[customer_id] = resident
        self._ask(
            "accounts",
            RegisterCustomer(
                customer_id=customer_id,
                kind=resident.kind,
                personal=CustomerPersonalData(name=resident.name, birth_date=resident.birth_date, country="DE"),
                currencies=resident.currencies,
            ),
        )

    def _fund(self) -> None:
        for customer_id, resident in self.customers.items():
            for currency in resident.currencies:
                fund = Fund(
                    transfer_id=self.world.new_id(),
                    account_id=account_id_of(customer_id, currency),
                    amount_minor=self.chance.choice((5_00, 300_00, 2_000_00)),
                    currency=currency,
                )
                if self._happens(0.5):
                    self._request(fund)

    def _pay(self) -> None:
        self._ask("payments", self._order())

    def _upload(self) -> None:
        """A file of payments, with what goes wrong with files."""
        batch_id, lines = self.world.new_id(), self.chance.randint(1, 4)
        self._ask("payments", OpenBatch(batch_id=batch_id, client_id=CLIENTS[0]))
        commands: list[Command] = [self._order(batch_id, number) for number in range(1, lines + 1)]
        if self._happens(0.3):
            lines += 1
            commands.append(
                RefuseLine(batch_id=batch_id, line_number=lines, reason="malformed", field=None, detail="no amount")
            )
        self.world.command("payments", *commands)
        refused = self._ask("payments", CompleteBatch(batch_id=batch_id, line_count=lines + 1)).refusal
        assert refused is not None and refused.reason == "batch_differs"
        assert self._ask("payments", CompleteBatch(batch_id=batch_id, line_count=lines)).refusal is None
        refused = self._ask("payments", self._order(batch_id, lines + 1)).refusal
        assert refused is not None and refused.reason == "batch_complete"

    def _order(
        self,
        batch_id: str | None = None,
        line_number: int | None = None,
        *,
        capture: Capture | None = None,
        payee: str | None = None,
    ) -> InitiatePayment:
        currency = "USD" if self._happens(0.1) else "EUR"
        debtor, creditor = self._party(currency), self._party(currency)
        if capture is None:
            capture = Capture.MANUAL if batch_id is None and self._happens(0.35) else Capture.AUTOMATIC
        order = InitiatePayment(
            payment_id=self.world.new_id(),
            client_id=CLIENTS[0] if batch_id else self.chance.choice(CLIENTS),
            debtor_account_id=account_id_of(debtor, "EUR" if self._happens(0.02) else currency),
            creditor_account_id=account_id_of(creditor, currency),
            amount_minor=self._amount_minor(account_id_of(debtor, currency)),
            currency=currency,
            channel=self.chance.choice((Channel.API, Channel.API, Channel.CARD, Channel.MOBILE)),
            is_cash=self._happens(0.05),
            device_id=self.chance.choice(DEVICES),
            ip_country="BR" if self._happens(0.15) else "DE",
            instructed_at=self._instructed_at(),
            capture=capture,
            personal=self._personal(self.customers[debtor].name, payee or self.customers[creditor].name),
            batch_id=batch_id,
            line_number=line_number,
        )
        self.promises.note_order(order, is_listed=self._names(order, LISTED))
        return order

    def _party(self, currency: str) -> str:
        """Anyone at times, but mostly one who can pay and be paid: else hardly any payment would get far."""
        known = self.payments.accounts
        able = [id_ for id_ in self.customers if (a := known.get(account_id_of(id_, currency))) and a.may_pay]
        return self.chance.choice(able if able and self._happens(0.8) else list(self.customers))

    def _amount_minor(self, payer_account_id: str) -> int:
        """Often so much that a few such payments can't all be paid for."""
        account = self.accounts.accounts.get(payer_account_id)
        if account is not None and account.posted_minor > 1 and self._happens(0.3):
            return account.posted_minor * self.chance.randint(50, 100) // 100
        return self.chance.choice((1, self.chance.randint(1, 50_00), self.chance.randint(1, 150_00), 900_00, 15_001_00))

    def _instructed_at(self) -> datetime | None:
        if self._happens(0.8):
            return None
        return self.world.now - timedelta(hours=self.chance.randint(-50, 24 * 50))

    def _personal(self, payer: str, payee: str) -> PaymentPersonalData:
        """Who the client says pays and is paid: the customers mostly, sometimes another name."""
        if payee not in (ALIKE_AT_TIMES, LISTED_AT_TIMES) and self._happens(0.25):
            payee = self.chance.choice((LISTED, ALIKE, ALIKE, ALIKE_AT_TIMES, ALIKE_AT_TIMES, LISTED_AT_TIMES))
        return PaymentPersonalData(debtor=Party(name=payer, country="DE"), creditor=Party(name=payee))

    def _names(self, order: InitiatePayment, name: str) -> bool:
        return name in (order.personal.debtor.name, order.personal.creditor.name)

    def _cancel(self) -> None:
        if not self.payments.payments:
            return
        payment = self.chance.choice(list(self.payments.payments.values()))
        command = CancelPayment(payment_id=payment.payment_id, client_id=self._asker(payment))
        may_be_refused = self.promises.may_be_refused(command)
        refusal = self._ask("payments", command).refusal
        assert (refusal and refusal.reason) in may_be_refused, f"{refusal}, and not one of {may_be_refused}"
        if refusal is None:
            self.promises.withdrawn.add(payment.payment_id)

    def _asker(self, payment: Payment) -> str | None:
        """Who asks for something about a payment: its client mostly, another one, or the staff."""
        return self.chance.choice((payment.order.client_id, payment.order.client_id, "stranger", None))

    def _capture(self) -> None:
        """A client takes what it had authorised: all or a part of it, at times too much, too late, or twice."""
        manual = [payment for payment in self.payments.payments.values() if payment.capture is Capture.MANUAL]
        waiting = [payment for payment in manual if payment.awaits_capture(self.world.now)]
        if not manual:
            return
        payment = self.chance.choice(waiting if waiting and self._happens(0.9) else manual)
        if payment.capture_by is not None and self._happens(0.07):
            self.world.now = max(self.world.now, payment.capture_by)
        order = payment.order
        command = CapturePayment(
            payment_id=payment.payment_id,
            client_id=self._asker(payment),
            amount=self._amount_asked(order.amount_minor, order.currency),
        )
        expected = self.promises.note_capture(command)
        refusal = self._ask("payments", command).refusal
        assert (refusal and refusal.reason) == expected, f"{refusal}, and not {expected}, of {payment}"

    def _refund(self) -> None:
        """A client gives money back: all or a part of it, at times more than there is, or what was never settled."""
        settled = [payment for payment in self.payments.payments.values() if payment.settled is not None]
        pool = settled if settled and self._happens(0.9) else list(self.payments.payments.values())
        if not pool:
            return
        payment = self.chance.choice(pool)
        left_minor = payment.settled.amount_minor - payment.refunded_minor if payment.settled is not None else 0
        client_id, currency = self._asker(payment), payment.order.currency
        for _ in range(self.chance.choice((1, 1, 2))):
            command = RequestRefund(
                refund_id=self.world.new_id(),
                payment_id=payment.payment_id,
                client_id=client_id,
                amount=self._amount_asked(left_minor, currency),
            )
            expected = self.promises.note_refund(command)
            refusal = self._ask("payments", command).refusal
            assert (refusal and refusal.reason) == expected, f"{refusal}, and not {expected}, of {payment}"

    def _amount_asked(self, most_minor: int, currency: str) -> str | None:
        """All, a part, or what can't be had."""
        if self._happens(0.15):
            return self.chance.choice(("0", "-1.00", "0.001", "much", format_amount(most_minor + 1, currency)))
        part = format_amount(self.chance.randint(1, most_minor), currency) if most_minor else "1"
        return self.chance.choice((None, part, part))

    def _change_fees(self) -> None:
        schedule = self.chance.choice(FEE_SCHEDULES)

        def use(memory: PaymentsMemory) -> None:
            memory.fees = schedule

        self.world.change("payments", use)

    # What is asked of the ledger itself

    def _request(self, command: Command) -> RefusalReason | None:
        """Returns why it is refused, if it is."""
        refusal = self._ask("accounts", command).refusal
        reason = None if refusal is None else RefusalReason(refusal.reason)
        self.requests[type(command).__name__, reason] += 1
        if reason is None:
            self.promises.books.note(command)
        self.promises.check()
        return reason

    def _book(self) -> None:
        by_staff = self._happens(0.25)
        bookings = tuple(self._booking(by_staff=by_staff) for _ in range(self.chance.choice((1, 1, 1, 2, 3))))
        reason = self._request(Book(bookings=bookings, by_staff=by_staff))
        named = {id_ for booking in bookings for id_ in (booking.debit_account_id, booking.credit_account_id)}
        assert reason is not None or BLOCKED_FUNDS not in named, "what is blocked moves by the law's word only"

    def _spend_much(self) -> None:
        """One customer pays as much a day as is allowed, in every way, and then more; at times as much a month."""
        debit, credit = self._two_accounts("EUR")
        amount_minor = self.chance.choice((700_00, 830_00))
        days = 5 if self._happens(0.35) else 1
        self._request(
            Fund(
                transfer_id=self.world.new_id(), account_id=debit, amount_minor=4 * days * amount_minor, currency="EUR"
            )
        )
        parties: dict[str, Any] = {"debit_account_id": debit, "credit_account_id": credit}
        about = parties | {"amount_minor": amount_minor, "currency": "EUR"}
        for turn in range(4 * days):
            if self._happens(0.7):
                self._request(Book(bookings=(Booking(transfer_id=self.world.new_id(), **about),)))
            else:
                self._request(PlaceHold(hold_id=self.world.new_id(), **about))
            if turn % 4 == 3 and days > 1:
                self.world.now += DAY
                self._sweep()

    def _booking(self, *, by_staff: bool) -> Booking:
        currency = "USD" if self._happens(0.1) else "EUR"
        debit, credit = self._two_accounts(currency)
        if by_staff and self._happens(0.5):
            kinds = AccountKind.SUSPENSE, AccountKind.LOSSES, AccountKind.SETTLEMENT, AccountKind.BLOCKED_FUNDS
            house = house_account_id(self.chance.choice(kinds), currency)
            debit, credit = (house, credit) if self._happens(0.5) else (debit, house)
        return Booking(
            transfer_id=self.world.new_id(),
            debit_account_id=debit,
            credit_account_id=credit,
            amount_minor=self._amount_minor(debit),
            currency="USD" if self._happens(0.02) else currency,
        )

    def _two_accounts(self, currency: str) -> tuple[str, str]:
        while (payer := self._party(currency)) == (payee := self._party(currency)):
            pass
        return account_id_of(payer, currency), account_id_of(payee, currency)

    def _convert(self) -> None:
        currencies = self.chance.choice((("EUR", "USD"), ("EUR", "USD"), ("USD", "EUR"), ("EUR", "JPY")))
        debit = account_id_of(self._party(currencies[0]), currencies[0])
        self._request(
            Convert(
                transfer_id=self.world.new_id(),
                debit_account_id=debit,
                credit_account_id=account_id_of(self._party(currencies[1]), currencies[1]),
                amount_minor=self._amount_minor(debit),
                currency=currencies[0],
                credited_currency=currencies[1],
                rate=Decimal(self.chance.choice(("1.0843", "0.9", "0.00007", "161.29", "3"))),
            )
        )

    def _reverse(self) -> None:
        """Somebody takes back what was moved lately: not what payments have moved, and nothing twice."""
        requested = [t for t in self.accounts.transfers if t.kind not in OF_PAYMENTS]
        pool = requested if requested and self._happens(0.8) else self.accounts.transfers
        if pool:
            original = self.chance.choice(pool[-12:])
            expected = self.promises.books.why_not_reversed(original)
            reason = self._request(Reverse(transfer_id=original.transfer_id, by_staff=self._happens(0.6)))
            assert expected is None or reason == expected, f"{reason}, and not {expected}, of {original}"

    def _reserve(self) -> None:
        """Money is set aside by request."""
        debit, credit = self._two_accounts("EUR")
        expires_at = self.world.now + self.chance.choice((-SECOND, HOUR, DAY, 90 * DAY))
        self._request(
            PlaceHold(
                hold_id=self.world.new_id(),
                debit_account_id=debit,
                credit_account_id=credit,
                amount_minor=self._amount_minor(debit),
                currency="EUR",
                expires_at=expires_at if self._happens(0.5) else None,
            )
        )

    def _use_reserve(self) -> None:
        """What is set aside is posted, in one or several parts, or given back; nobody does that to a payment's."""
        requested = [hold for hold in self.accounts.holds.values() if hold.kind is HoldKind.REQUEST]
        pool = requested[-4:] if self._happens(0.95) else list(self.accounts.holds.values())
        if not pool:
            return
        hold = self.chance.choice(pool)
        command: Command = VoidHold(hold_id=hold.hold_id)
        if self._happens(0.75):
            is_part = self._happens(0.7)
            command = PostHold(
                hold_id=hold.hold_id,
                transfer_id=self.world.new_id(),
                amount_minor=self.chance.randint(1, hold.left_minor + 1) if is_part else None,
                currency="EUR",
                is_final=self._happens(0.3),
            )
        reason = self._request(command)
        assert (reason is RefusalReason.OF_A_PAYMENT) == (hold.kind is HoldKind.PAYMENT)

    def _use_reserves(self) -> None:
        """Some of what is set aside is posted together, all or nothing: at times too much, or what is over."""
        requested = [hold for hold in self.accounts.holds.values() if hold.kind is HoldKind.REQUEST]
        pool = [hold for hold in requested if hold.left_minor and self._happens(0.9)] or requested
        postings = tuple(
            PostHold(
                hold_id=hold.hold_id,
                transfer_id=self.world.new_id(),
                amount_minor=self.chance.randint(1, hold.left_minor + 1) if self._happens(0.3) else None,
                is_final=self._happens(0.3),
            )
            for hold in self.chance.sample(pool, min(len(pool), self.chance.choice((1, 2, 2, 3))))
        )
        if postings:
            self._request(PostHolds(postings=postings))

    # What the staff does

    def _set_bounds(self) -> None:
        self._request(
            SetBounds(
                account_id=self._any_account(),
                currency="EUR",
                floor_minor=self.chance.choice((0, -50_00, -500_00)),
                ceiling_minor=self.chance.choice((None, 300_00, 1_000_00)),
            )
        )

    def _freeze(self) -> None:
        self._ask("accounts", Freeze(account_id=self._any_account(), may_receive=self._happens(0.4)))

    def _thaw(self) -> None:
        self._ask("accounts", Thaw(account_id=self._any_account()))

    def _close(self) -> None:
        self._ask("accounts", Close(account_id=self._any_account()))

    def _open(self) -> None:
        self._ask(
            "accounts",
            OpenAccount(
                customer_id=self.chance.choice(list(self.customers)), currency=self.chance.choice(("USD", "JPY"))
            ),
        )

    def _any_account(self) -> str:
        return account_id_of(self.chance.choice(list(self.customers)), "EUR")

    def _label(self) -> None:
        if self.fraud.assessments:
            payment_id = self.chance.choice(list(self.fraud.assessments))
            label = self.chance.choice((Label.FRAUD, Label.GENUINE))
            self._ask("fraud", LabelPayment(payment_id=payment_id, label=label))

    def _change_list(self) -> None:
        """A new version of the list is imported, with or without someone."""
        self._use_next_list()
        if self._happens(0.7):
            self._sweep()

    def _use_next_list(self) -> None:
        index = list_of_version(self.compliance.index.version + 1)

        def use(memory: ComplianceMemory) -> None:
            memory.index = index

        self.world.change("compliance", use)

    def _change_list_behind(self, *, people: bool) -> None:
        """A payment waits for people, or for an answer; the list changes; and payments hears of all that in any order.

        So something may be found about a payment that has gone on meanwhile.
        """
        accounts, compliance = self.world.services["accounts"], self.world.services["compliance"]
        order = self._order(capture=Capture.MANUAL, payee=self.chance.choice((ALIKE_AT_TIMES, LISTED_AT_TIMES)))
        self._ask("payments", order)
        accounts.is_away = not people
        for name in ("fraud", "compliance", "accounts", "payments"):
            self._hear_all(name)
        self.world.now += timedelta(seconds=125)
        self.world.sweep(self.world.services["payments"])
        self._hear_all("compliance")
        self._use_next_list()
        self.world.sweep(compliance)
        accounts.is_away = False
        self._hear_all("accounts")
        case_id = payment_case_id(order.payment_id)
        for _ in range(8 if people else 0):
            case = self.compliance.cases.get(case_id)
            if case is not None and case.opened_at and not case.has_ended:
                self._act_on(case)
        self._hear_all("payments")

    def _work_on_a_case(self) -> None:
        waiting = [case for case in self.compliance.cases.values() if case.opened_at and not case.has_ended]
        if waiting:
            self._act_on(self.chance.choice(waiting))

    def _act_on(self, case: Case) -> None:
        command = self._next_act(case, self.chance.choice(ANALYSTS))
        refusal = self._ask("compliance", command).refusal
        if isinstance(command, ProposeDecision) and refusal is None:
            self.promises.note_proposed(case)
        if isinstance(command, ConfirmDecision) and refusal is None:
            self.promises.note_confirmed(case)

    def _hurry(self) -> None:
        """Two people work off what they see, faster than news can reach them."""
        for _ in range(5):
            self._work_on_a_case()
        if self._happens(0.6):
            for name in ("fraud", "payments"):
                self.world.services[name].is_away = False
                self._hear_all(name)
        for _ in range(5):
            self._work_on_a_case()

    def _next_act(self, case: Case, actor: str) -> CaseCommand:
        """What some analyst tries to do with a case: mostly what it waits for, sometimes what is not allowed."""
        about: dict[str, Any] = {
            "case_id": case.case_id,
            "actor": actor,
            "role": Role.SUPERVISOR,
            "version": case.version - (1 if self._happens(0.05) else 0),
        }
        note = "seen"
        if case.status is CaseStatus.OPEN:
            return TakeCase(**about)
        if case.status is CaseStatus.PROPOSED:
            is_agreed = self._happens(0.8)
            return ConfirmDecision(**about, note=note) if is_agreed else ReturnCase(**about, note=note)
        if self._happens(0.1):
            return ReleaseCase(**about, note=note)
        if self._happens(0.1):
            return TakeOverCase(**about, note=note)
        if self._happens(0.9) and case.taken_by is not None:
            about["actor"] = case.taken_by
        decision = self.chance.choice((CaseDecision.APPROVE, CaseDecision.APPROVE, *CaseDecision))
        if decision is CaseDecision.UNKNOWN:
            decision = CaseDecision.REJECT
        return ProposeDecision(**about, decision=decision, note=note)

    # What happens to machines, and to time

    def _deliver(self) -> None:
        self.world.step()

    def _burst(self) -> None:
        """One service is quick, all others slow: it hears everything before they hear anything."""
        self._hear_all(self.chance.choice(list(self.world.services)))

    def _hear_all(self, service: str) -> None:
        for _ in range(BURST_MAX):
            if not self.world.step(service):
                return
            self.promises.check()

    def _go_away(self) -> None:
        self.chance.choice(list(self.world.services.values())).is_away = True

    def _return(self) -> None:
        self.chance.choice(list(self.world.services.values())).is_away = False

    def _replay(self) -> None:
        self.world.replay(self.chance.choice(list(self.world.services.values())))

    def _leap(self) -> None:
        """Time passes, and those who are there do what is due."""
        self.world.now += self.chance.choice(LEAPS) * self.chance.random()
        self._sweep()

    def _sweep(self) -> None:
        for service in self._present():
            self.world.sweep(service)
            self.promises.check()
            if service.name == "payments":
                self.promises.check_deadlines()

    def _present(self) -> list[Service]:
        return [service for service in self.world.services.values() if not service.is_away]

    def _come_to_an_end(self) -> None:
        """Everyone is back; what still waits is delivered, decided, or given up in time."""
        for service in self.world.services.values():
            service.is_away = False
        for _ in range(ROUNDS_MAX):
            self._deliver_all()
            if not self.world.is_anything_buried:
                self.promises.check_at_rest()
            if not self._waiting():
                return
            for _ in range(3):
                if self._happens(0.6):
                    self._work_on_a_case()
            for act in (self._capture, self._refund):
                if self._happens(0.2):
                    act()
            self._deliver_all()
            self._leap_to_what_is_due()
        raise AssertionError(f"these never end: {self._waiting()}")

    def _waiting(self) -> list[Record]:
        """The payments and refunds that have not ended."""
        refunds = [refund for refund in self.payments.refunds.values() if refund.state is RefundState.REQUESTED]
        return [*(payment for payment in self.payments.payments.values() if not payment.has_ended), *refunds]

    def _deliver_all(self) -> None:
        """Until nobody waits for anything and nothing is buried."""
        for _ in range(REPLAYS_MAX):
            while self.world.step():
                self.promises.check()
            if not self.world.is_anything_buried:
                return
            for service in self.world.services.values():
                self.world.replay(service)
                self.promises.check()
        raise AssertionError("dead letters breed dead letters")

    def _leap_to_what_is_due(self) -> None:
        looks = [payment.check_at for payment in self.payments.payments.values() if payment.check_at is not None]
        looks += [refund.check_at for refund in self.payments.refunds.values() if refund.check_at is not None]
        if looks:
            self.world.now = max(self.world.now, min(looks))
        self._sweep()

    def _happens(self, share: float) -> bool:
        return self.world.happens(share)

    def _ask(self, service: str, command: Command) -> Decided:
        (decided,) = self.world.command(service, command)
        return decided
