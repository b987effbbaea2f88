"""What compliance does: it answers whether payments and customers are allowed, watches what money has done, and has
people decide what it can't.
"""

from collections.abc import Sequence
from functools import partial

from libs.common import vault
from libs.common.batch import Handlers
from libs.common.sweep import Prune
from schemas.accounts.events import AccountOpened, CustomerClosed, CustomerRegistered, PropertyBlocked, TransfersPosted
from schemas.compliance.events import (
    CaseOpened,
    CaseResolved,
    CaseTaken,
    ComplianceScreened,
    CustomerRefused,
    CustomerRestricted,
    CustomerVerified,
)
from schemas.payments.events import (
    PaymentAnswerOverdue,
    PaymentBlocked,
    PaymentCancelled,
    PaymentDataSupplied,
    PaymentInitiated,
    PaymentRefusalExplained,
    PaymentResumed,
    PaymentSettled,
    PaymentSuspended,
    RefundSettled,
)
from services.compliance.catalogue import live_catalogue
from services.compliance.domain import (
    acts,
    alerting,
    alike,
    cases,
    casework,
    customers,
    diligence,
    evidence,
    filings,
    forgetting,
    looking_back,
    screenings,
    silencing,
    travel,
    whitelisting,
)
from services.compliance.settings import ComplianceSettings
from services.compliance.standards import live_standards
from services.compliance.store import monitoring, work
from services.compliance.store.looking_back import forget_orders
from services.compliance.store.travel import forget_linked


def handlers(settings: ComplianceSettings) -> Handlers:
    """The table of contents: each event and command, and what is decided on it."""
    return Handlers(
        service="compliance",
        load=partial(
            work.load_work,
            live=live_catalogue(settings),
            live_standards=live_standards(settings),
            policy=settings.policy,
            vault=vault.of(settings),
        ),
        save=work.save_work,
        wanted_keys=partial(work.wanted_keys, policy=settings.policy),
        decisions={
            # Is this payment allowed?
            PaymentInitiated: screenings.screen_payment,
            PaymentAnswerOverdue: screenings.answer_again,
            screenings.RescreenPayment: screenings.rescreen,
            PaymentDataSupplied: travel.take_supplied,
            travel.TellDetails: travel.tell,
            travel.SupplyPartyData: travel.supply,
            looking_back.LookBack: looking_back.look_back,
            looking_back.GoOn: looking_back.go_on,
            # May this customer be served?
            CustomerRegistered: customers.register,
            CustomerClosed: customers.close,
            customers.RescreenCustomer: customers.rescreen,
            AccountOpened: diligence.learn_account,
            diligence.TakeDocument: diligence.take_document,
            diligence.HandInDocument: diligence.hand_in,
            diligence.RecordCheck: diligence.record_check,
            diligence.RateCustomer: diligence.rate_customer,
            diligence.ReviewCustomer: diligence.review,
            # What has the money done?
            PaymentSettled: looking_back.watch_payment,
            RefundSettled: alerting.watch_money,
            TransfersPosted: alerting.watch_money,
            alerting.LookForCycle: alerting.look_for_cycle,
            alerting.WakeAlerts: alerting.wake,
            silencing.SilenceScenario: silencing.silence,
            silencing.EndSilence: silencing.end_silence,
            silencing.SetParameters: silencing.set_parameters,
            silencing.ConfirmParameters: silencing.confirm_parameters,
            silencing.TurnDownParameters: silencing.turn_down_parameters,
            # What people are asked
            PaymentSuspended: cases.open_or_update,
            PaymentResumed: cases.close,
            # Told where suspensions are told, and so in order with them: unlike PaymentRejected.
            PaymentRefusalExplained: cases.close,
            PaymentCancelled: cases.close,
            # What people do
            acts.TakeCase: acts.take,
            acts.TakeOverCase: acts.take_over,
            acts.ReleaseCase: acts.release,
            acts.ProposeDecision: acts.propose,
            acts.ConfirmDecision: acts.confirm,
            acts.ReturnCase: acts.send_back,
            alike.ProposeAlike: alike.propose,
            alike.ConfirmAlike: alike.confirm,
            evidence.AddFile: evidence.add_file,
            casework.NextCase: casework.hand_out,
            casework.AssignCase: casework.assign,
            casework.AddNote: casework.add_note,
            casework.AddTask: casework.add_task,
            casework.FinishTask: casework.finish_task,
            casework.LinkPayment: casework.link_payment,
            casework.UnlinkPayment: casework.unlink_payment,
            casework.SnoozeCase: casework.snooze,
            casework.EscalateCase: casework.escalate,
            casework.ReopenCase: casework.reopen,
            whitelisting.ProposePair: whitelisting.propose,
            whitelisting.ConfirmPair: whitelisting.confirm,
            whitelisting.EndPair: whitelisting.end,
            whitelisting.KeepPair: whitelisting.keep,
            # What the law asks to be reported
            PaymentBlocked: cases.record_blocked_property,
            PropertyBlocked: cases.record_blocked_property,
            filings.DraftFiling: filings.draft,
            filings.ReviseFiling: filings.revise,
            filings.ApproveFiling: filings.approve,
            filings.RecordFiled: filings.record_filed,
            filings.ReviewFiling: filings.review,
            filings.WithdrawFiling: filings.withdraw,
            # What time decides
            casework.WakeCase: casework.wake,
            whitelisting.ExpirePair: whitelisting.expire,
            forgetting.ForgetParties: forgetting.forget,
        },
        opens=(PaymentInitiated, PaymentAnswerOverdue, PaymentDataSupplied, PaymentSuspended, CustomerRegistered),
        writes=(
            ComplianceScreened,
            CaseOpened,
            CaseTaken,
            CaseResolved,
            CustomerVerified,
            CustomerRefused,
            CustomerRestricted,
        ),
    )


def pruning(settings: ComplianceSettings) -> Sequence[Prune]:
    """What is kept for a time only."""
    old_orders = partial(forget_orders, settings.policy.look_back_for)
    old_transfers = partial(forget_linked, settings.policy.travel.linked_within)
    return (
        old_orders,
        old_transfers,
        monitoring.forget_hops,
        monitoring.forget_alerts,
        monitoring.forget_watched,
        monitoring.forget_links,
    )
