"""What a case shows of its alerts: payments, values and parameters, in words."""

import ast
import inspect
from datetime import timedelta

from libs.common import ids
from services.compliance.defaults import shipped_versions
from services.compliance.desk.alerts import PARAMETERS, VALUES, AlertView, alert_views
from services.compliance.desk.views import reason_in_words
from services.compliance.monitoring import cycles, scenarios
from services.compliance.monitoring.alerts import Alert, AlertMovement, AlertState
from services.compliance.monitoring.history import counterpart_of
from services.compliance.monitoring.parameters import KINDS, Scenario
from services.compliance.monitoring_queries import Counterpart, ReadableAlerts
from tests.unit.compliance.office import CUSTOMER, START

BOB, CARL = ids.named("bob"), ids.named("carl")
PAID_IN, PASSED_ON, LOST = (ids.named("payment", name) for name in ("in", "on", "lost"))
VERSIONS = {(version.scenario, version.version): version for version in shipped_versions()}
VERSION = next(version.version for version in shipped_versions() if version.scenario is Scenario.CASH_REPORT)
MOVEMENTS = (
    AlertMovement(
        payment_id=PAID_IN,
        at=START,
        cents=600_050,
        is_cash=True,
        creditor_customer_id=CUSTOMER,
        counterpart=counterpart_of(BOB),
    ),
    AlertMovement(
        payment_id=PASSED_ON,
        at=START + timedelta(hours=1),
        cents=1_000_000,
        debtor_customer_id=BOB,
        creditor_customer_id=CARL,
    ),
)
KNOWN = [
    Counterpart(customer_id=BOB, name="Bob\u202e", is_known=True),
    Counterpart(customer_id=CARL, name=None, is_known=False),
]


def view(version: str = VERSION) -> AlertView:
    alert = Alert(
        alert_id=ids.named("alert"),
        scenario=Scenario.CASH_REPORT,
        customer_id=CUSTOMER,
        payment_ids=(LOST, PAID_IN, PASSED_ON),
        reason="cash",
        values={"total_cents": 1_200_000, "direction": "in", "list": "call_for_action"},
        parameters_version=version,
        occurred_at=START,
        raised_at=START,
        state=AlertState.OPEN,
        movements=MOVEMENTS,
    )
    counterparts = {key: one for one in KNOWN for key in (one.customer_id, counterpart_of(one.customer_id))}
    found = ReadableAlerts(alerts=(alert,), counterparts=counterparts, versions=VERSIONS)
    (shown,) = alert_views(found, reason_in_words)
    return shown


def test_each_payment_has_its_amount_its_way_and_who_the_other_side_was() -> None:
    told = [
        (one.payment_id, one.amount, one.direction, one.is_cash, one.counterparty, one.counterparty_id)
        for one in view().payments
    ]
    assert told == [
        (PAID_IN, "$6,000.50", "in", True, "Bob\ufffd", BOB),
        (PASSED_ON, "$10,000", "between others", False, f"Bob\ufffd → …{CARL[-8:]}", None),
        (LOST, "", "", False, "", None),
    ]


def test_values_and_parameters_are_said_in_words() -> None:
    assert view().values == (("Together", "$12,000"), ("Paid", "in"), ("FATF list", "call for action"))
    assert view().parameters[-1] == ("More than", "$10,000")
    assert view("another").parameters == ()


def test_every_parameter_has_its_words() -> None:
    named = {name for kind in KINDS.values() for name in kind.__struct_fields__}
    assert named - {"is_on"} == set(PARAMETERS)


def test_every_value_has_its_words() -> None:
    """All that scenarios put into a finding: the dictionaries with names for keys in their source."""
    dicts = [
        node
        for module in (scenarios, cycles)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Dict)
    ]
    assert {key.value for found in dicts for key in found.keys if isinstance(key, ast.Constant)} == set(VALUES)
