"""A case as one file that needs nothing else, for an examiner: a page, or a document to be printed and archived.

Both say the same. Reports to the authorities are in neither, whoever asks.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from fastapi import Response

from libs.common.record import Record
from services.compliance.desk import pdf, render
from services.compliance.desk.activity import Activity
from services.compliance.desk.alerts import AlertPayment
from services.compliance.desk.journey import Journey, Source
from services.compliance.desk.network import Picture
from services.compliance.desk.parties import HitView, PartyView
from services.compliance.desk.pdf import Document, Entry, Facts, Lines, Section, Table, Text
from services.compliance.desk.render import moment, moment_with_seconds, plain, words
from services.compliance.desk.sessions import DeskSession
from services.compliance.desk.travel_views import TravelView
from services.compliance.desk.views import CaseRow, CaseView, FindingView, LinkedView
from services.compliance.domain.whitelist import Pair, PairState


class ExportFormat(StrEnum):
    """As what a case is taken out."""

    HTML = "html"
    PDF = "pdf"


class Exported(Record):
    """What is taken out: by whom, and as it was when."""

    person: DeskSession
    now: datetime
    case: CaseView
    about: tuple[tuple[str, str], ...]
    travel: TravelView | None
    journey: Journey | None
    pairs: Mapping[str, Pair]
    """Of the hits those that people have ruled out, or are about to."""
    related: Sequence[CaseRow]
    activities: Sequence[Activity]
    network: Picture | None


def respond(exported: Exported, format_: ExportFormat) -> Response:
    """The file, to be saved."""
    response = _html(exported) if format_ is ExportFormat.HTML else _pdf(exported)
    name = f"case-{exported.case.row.case_id}.{format_}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _html(exported: Exported) -> Response:
    values = {name: getattr(exported, name) for name in exported.__struct_fields__}
    response = render.page("export.html", **values, css=render.style_sheet(), pair_in_words=pair_in_words)
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


def _pdf(exported: Exported) -> Response:
    response = Response(pdf.compile_(document(exported), at=exported.now), media_type="application/pdf")
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def document(exported: Exported) -> Document:
    """What export.html says, as a document."""
    row, person = exported.case.row, exported.person
    by = f"exported by {person.username} ({person.role})"
    return Document(
        title=row.title,
        about=f"Case {row.case_id}, as it was on {moment(exported.now)}, {by}",
        tags=(f"Decided: {row.decision_words}" if row.decision else row.status_words, *row.reasons),
        figures=tuple((label, value) for label, value in (("Amount", row.amount), ("Priority", row.priority)) if value),
        sections=tuple(section for section in _sections(exported) if section.blocks),
    )


def _sections(exported: Exported) -> Iterator[Section]:
    case = exported.case
    yield Section(title="The case", blocks=(Facts(rows=exported.about),))
    for party in case.parties:
        yield _party(party, exported.pairs)
    yield Section(title="Travel rule", blocks=tuple(_travel(exported.travel)))
    yield Section(title="Screening", blocks=tuple(_findings(case.compliance_findings)))
    yield Section(title="What monitoring has raised", blocks=tuple(_alerts(case)))
    if case.row.is_payment:
        yield Section(title="What detection says", blocks=tuple(_detection(case)))
        yield Section(title="The payment", blocks=(Facts(rows=case.facts),))
    yield Section(title="The payment's way through the services", blocks=tuple(_journey(exported.journey)))
    yield Section(title="Linked payments", blocks=tuple(map(_linked, case.linked)))
    yield Section(title="Other cases of the same customers", blocks=tuple(map(_related, exported.related)))
    yield Section(title="90 days of history", blocks=tuple(_history(exported.activities)))
    yield Section(title="Network of counterparties", blocks=tuple(_network(exported.network)))
    yield Section(title="Tasks", blocks=tuple(_tasks(case)))
    yield Section(title="Files", blocks=tuple(_files(case)))
    yield Section(title="Timeline", blocks=tuple(_acts(case)))


def _party(party: PartyView, pairs: Mapping[str, Pair]) -> Section:
    unscreenable = (Text(text=party.unscreenable),) if party.unscreenable else ()
    hits = (block for hit in party.hits for block in _hit(hit, party, pairs.get(hit.pair_id or "")))
    return Section(eyebrow=party.role, title=party.name, blocks=(Facts(rows=party.facts), *unscreenable, *hits))


def _hit(hit: HitView, party: PartyView, pair: Pair | None) -> Iterator[Entry | Table]:
    yield Entry(
        title=hit.listed_name,
        beside=f"{hit.score_percent} % · {hit.outcome.capitalize()}",
        note=f"{hit.list_name} {hit.entity_id}, version {hit.list_version}",
        lines=(*hit.reasons, *filter(None, (hit.remarks, pair_in_words(pair)))),
        facts=hit.facts,
        is_marked=True,
    )
    rows = tuple((side.label, side.own_text, side.listed_text) for side in hit.sides)
    yield Table(head=("", party.role, "The listed entry"), rows=rows, numbers=0)


def pair_in_words(pair: Pair | None) -> str:
    """What people have said about a hit being someone else."""
    if pair is None:
        return ""
    said = f"by {pair.proposed_by}, until {moment(pair.until)}: {pair.reason}"
    if pair.state is PairState.PROPOSED:
        return f"Whitelisting proposed {said}"
    return f"Whitelisted {said}; confirmed by {pair.confirmed_by}"


def _travel(travel: TravelView | None) -> Iterator[Text | Lines]:
    if travel is None:
        return
    yield Lines(lines=tuple(f"{what} ({source})" for what, source in travel.rules))
    missing = tuple(f"{side.role}: {field.label}" for side in travel.sides for field in side.missing)
    yield Text(text="Missing:" if missing else "Nothing is missing.")
    if missing:
        yield Lines(lines=missing)
    if travel.told:
        yield Text(text="Told after the order:")
        yield Lines(lines=travel.told)
    if travel.has_message:
        yield Text(text="A message (IVMS101) came with it.")


def _findings(findings: Sequence[FindingView]) -> Iterator[Lines]:
    if findings:
        yield Lines(lines=tuple(f"{one.score_percent} % {one.reason} ({one.source})" for one in findings))


def _journey(journey: Journey | None) -> Iterator[Text | Table]:
    if journey is None:
        return
    if journey.source is not Source.PAYMENTS:
        yield Text(text="What compliance itself has heard.")
    rows = tuple(
        (f"{moment_with_seconds(step.at)} UTC", step.service, f"{step.what} {words(step.detail)}".strip())
        for step in journey.steps
    )
    yield Table(head=("At", "Service", "What"), rows=rows, numbers=0)


def _linked(one: LinkedView) -> Entry:
    settled = f", settled {moment(one.settled_at)}" if one.settled_at else ""
    return Entry(
        title=one.payment_id,
        beside=(one.outcome or "").capitalize(),
        note=f"Linked by {one.linked_by}, {moment(one.linked_at)}{settled}",
        lines=(one.note,),
    )


def _related(row: CaseRow) -> Entry:
    ended = f", ended {moment(row.ended_at)}" if row.ended_at else ""
    return Entry(
        title=row.title,
        beside=(row.decision_words or row.status_words).capitalize(),
        note=f"Case {row.case_id}, {row.priority}{ended}",
        lines=(", ".join(row.reasons),),
    )


def _alerts(case: CaseView) -> Iterator[Entry | Table]:
    for alert in case.alerts:
        yield Entry(title=alert.what, note=moment(alert.occurred_at), lines=(alert.reason,), facts=alert.values)
        yield Table(
            head=("Ordered", "Counterparty", "Payment", "In or out", "Amount"),
            rows=tuple(_alert_payment(payment) for payment in alert.payments),
            numbers=2,
        )
        yield Entry(title="What it looks for", note=f"Version {alert.parameters_version}", facts=alert.parameters)


def _alert_payment(payment: AlertPayment) -> tuple[str, ...]:
    return (
        moment(payment.at) if payment.at else "not kept",
        payment.counterparty or "–",
        payment.payment_id,
        (payment.direction or "–") + (", cash" if payment.is_cash else ""),
        payment.amount or "–",
    )


def _detection(case: CaseView) -> Iterator[Text | Lines]:
    score = "" if case.fraud_score_percent is None else f", score {case.fraud_score_percent} %"
    answers = (
        f"Fraud: {case.fraud_outcome or 'no answer'}{score}",
        f"Compliance: {case.compliance_outcome or 'no answer'}",
        f"Funds: {words(case.funds_outcome or 'no answer')}",
    )
    yield Text(text=" · ".join(answers))
    yield from _findings(case.fraud_findings)


def _history(activities: Sequence[Activity]) -> Iterator[Text | Table | pdf.Picture]:
    for one in activities:
        most = "" if one.is_empty else f" · at most {one.highest} a day"
        yield Text(text=f"{one.role} {one.name}: in {one.came} · out {one.went}{most}")
        if one.is_empty:
            yield Text(text="No payment of this customer's has settled in 90 days.")
            continue
        yield pdf.Picture(svg=_svg("activity_svg", one, "chart"), words=f"Money of {one.name}, day by day")
        rows = tuple((bar.day, bar.came, bar.went) for bar in reversed(one.bars))
        yield Table(head=("Day", "In", "Out"), rows=rows, numbers=2)
    if activities:
        yield Text(
            text="Payments that have settled: above the line what came in. In dollars, rough for other currencies."
        )


def _network(network: Picture | None) -> Iterator[Text | Table | pdf.Picture]:
    if network is None:
        yield Text(text="No payment with another customer has settled in 90 days.")
        return
    yield Text(text="Who paid whom in the last 90 days and a little more, two hops far. Money flows along the arrows.")
    if network.is_cut:
        yield Text(text="There is more: what is shown is where most money went.")
    yield pdf.Picture(svg=_svg("network_svg", network, False), words="Network of counterparties")
    rows = tuple((row.debtor, row.creditor, row.amount, str(row.payments)) for row in network.rows)
    yield Table(head=("From", "To", "Amount", "Payments"), rows=rows, numbers=2)


def _tasks(case: CaseView) -> Iterator[Entry]:
    for task in case.tasks:
        done = f"done by {task.done_by}, {moment(task.done_at)}" if task.done_at else f"added by {task.added_by}"
        yield Entry(title=task.title, note=done)


def _files(case: CaseView) -> Iterator[Entry]:
    for file in case.files:
        note = f"{file.size_bytes} bytes, {file.added_by}, {moment(file.added_at)}"
        yield Entry(title=file.name, note=note, lines=(f"SHA-256 {file.sha256}",))


def _acts(case: CaseView) -> Iterator[Entry]:
    for act in case.acts:
        yield Entry(
            title=act.what + (f" from {act.taken_from}" if act.taken_from else ""),
            beside=act.decision_words.capitalize(),
            note=f"{act.actor} · {moment_with_seconds(act.acted_at)} UTC",
            lines=(act.note,) if act.note else (),
        )


def _svg(macro: str, *values: Any) -> str:
    """A picture of the page's own, with its colours in it."""
    return pdf.readable(plain(render.picture(macro, *values)))
