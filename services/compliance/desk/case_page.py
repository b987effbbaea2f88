"""A case on one page: everything that is known about it, put together from what is asked for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from fastapi import Response

from libs.common import ids
from libs.common.problems import Problem
from libs.common.service import Runtime
from schemas.compliance.events import CaseDecision
from services.compliance import (
    list_queries,
    monitoring_queries,
    network_queries,
    queries,
    search_queries,
    travel_queries,
    whitelist_queries,
)
from services.compliance.desk import export, render, travel_views, views
from services.compliance.desk.activity import Activity, activity
from services.compliance.desk.acts import Verb
from services.compliance.desk.export import Exported, ExportFormat
from services.compliance.desk.journey import Journeys
from services.compliance.desk.network import Picture, picture
from services.compliance.desk.sessions import DeskSession
from services.compliance.desk.travel_views import TravelView
from services.compliance.desk.views import CaseView
from services.compliance.domain.case import NOTE_LENGTH_MAX, Case
from services.compliance.domain.meanings import choices
from services.compliance.domain.people import Permission, Role, rank_of
from services.compliance.domain.whitelist import PAIR_DAYS_MAX
from services.compliance.domain.work import Screening
from services.compliance.settings import ComplianceSettings

Customers = Mapping[str, tuple[str, str]]
"""By their ids, each with its role in the case and its name."""


class CasePages:
    """Shows cases."""

    def __init__(self, runtime: Runtime, settings: ComplianceSettings) -> None:
        self._engine = runtime.engine
        self._journeys = Journeys(settings)
        self._travel_rules = settings.policy.travel

    def show(
        self,
        case_id: str,
        person: DeskSession,
        *,
        status: HTTPStatus = HTTPStatus.OK,
        notice: str | None = None,
        fault: str | None = None,
        note: str = "",
        decision: CaseDecision | None = None,
        verb: Verb | None = None,
        payment_id: str = "",
    ) -> Response:
        """The page of a case, with what was done or why not. Raises Problem if there is no such case."""
        case = queries.find_case(self._engine, case_id)
        if case is None:
            raise Problem(HTTPStatus.NOT_FOUND, "case_unknown", "There is no such case.")
        now = datetime.now(UTC)
        screening, view, customers = self._look(case, now)
        return render.page(
            "case.html",
            status=status,
            person=person,
            case=view,
            customers=[(role, customer_id) for customer_id, (role, _) in customers.items()],
            customer_id=case.customer_id,
            case_payment_id=case.payment_id,
            travel=self._travel(case),
            choices=choices(case),
            journey=self._journeys.find(case, screening),
            activities=self._activities(customers, now),
            network=self._network(case, customers, now),
            pairs=whitelist_queries.find_standing(self._engine, pairs_of(view), now),
            pair_until=(now + timedelta(days=PAIR_DAYS_MAX - 1)).date(),
            today=now.date(),
            related=[views.case_row(found, now) for found in queries.list_related(self._engine, case, customers)],
            note_length_max=NOTE_LENGTH_MAX,
            alike_count=len(queries.list_alike(self._engine, case)) - 1,
            workers=queries.list_workers(self._engine) if person.may(Permission.ASSIGN) else [],
            higher=[role for role in (Role.SUPERVISOR, Role.OFFICER) if rank_of(role) > rank_of(person.role)],
            request_id=ids.new(),
            notice=notice,
            fault=fault,
            written={"note": note, "decision": decision, "verb": verb, "payment_id": payment_id},
        )

    def export(self, case_id: str, person: DeskSession, format_: ExportFormat) -> Response:
        """A case as one file. Raises Problem if there is no such case."""
        case = queries.find_case(self._engine, case_id)
        if case is None:
            raise Problem(HTTPStatus.NOT_FOUND, "case_unknown", "There is no such case.")
        now = datetime.now(UTC)
        screening, view, customers = self._look(case, now)
        exported = Exported(
            person=person,
            now=now,
            case=view,
            about=views.export_facts(case, screening),
            travel=self._travel(case),
            journey=self._journeys.find(case, screening),
            pairs=whitelist_queries.find_standing(self._engine, pairs_of(view), now),
            related=[views.case_row(found, now) for found in queries.list_related(self._engine, case, customers)],
            activities=self._activities(customers, now),
            network=self._network(case, customers, now),
        )
        return export.respond(exported, format_)

    def _look(self, case: Case, now: datetime) -> tuple[Screening | None, CaseView, Customers]:
        screening = queries.find_screening(self._engine, case.payment_id) if case.payment_id else None
        view = views.case_view(
            case,
            queries.list_acts(self._engine, case.case_id),
            screening,
            monitoring_queries.find_case_alerts(self._engine, case),
            list_queries.find_ownership(self._engine),
            search_queries.find_payments(self._engine, [one.payment_id for one in case.linked]),
            now,
        )
        return screening, view, views.customers_of(case)

    def _travel(self, case: Case) -> TravelView | None:
        record = travel_queries.find_record(self._engine, case.payment_id) if case.payment_id else None
        return travel_views.travel_view(record, self._travel_rules) if record else None

    def _activities(self, customers: Customers, now: datetime) -> list[Activity]:
        histories = network_queries.find_histories(self._engine, customers)
        return [activity(*customers[customer_id], past, now) for customer_id, past in histories.items()]

    def _network(self, case: Case, customers: Customers, now: datetime) -> Picture | None:
        found = network_queries.find_network(self._engine, list(customers), now)
        names = {customer_id: name for customer_id, (_, name) in customers.items()}
        return picture(found, names, pending=views.amount_held(case))


def pairs_of(view: CaseView) -> list[str]:
    """The pairs that the hits of a case may be whitelisted as."""
    return [hit.pair_id for party in view.parties for hit in party.hits if hit.pair_id is not None]
