"""What people ask of monitoring on the command line: what it looks for, who is left alone, and a run over history.

The same commands as over HTTP, in the operator's name.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import asdict

from libs.common import ids
from libs.common.answers import PAGE_LENGTH_MAX
from libs.common.cli import Actor, AsJson, By, Reason, answer, carry_out, fail, recorded, tell
from libs.common.database import transaction
from libs.common.service import Runtime
from services.compliance import looks
from services.compliance import monitoring_queries as asked_of
from services.compliance.backtest import BacktestFault, run_backtest
from services.compliance.defaults.countries import ListingsFault
from services.compliance.domain.audit import OPERATOR, AuditVerb, ObjectKind, Signature
from services.compliance.domain.silencing import EndSilence, SetParameters, SilenceScenario
from services.compliance.exporting import export_movements
from services.compliance.files.rows import FileFault
from services.compliance.importing import import_countries as import_countries_of
from services.compliance.importing import read_countries
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import AlertState, SilenceKind
from services.compliance.monitoring.parameters import ParametersFault, Scenario, values_of
from services.compliance.monitoring.standards import Standards
from services.compliance.settings import ComplianceSettings
from services.compliance.standards import live_standards
from services.compliance.store import audit

MakeRuntime = Callable[[], Runtime]
Until = Annotated[datetime, typer.Option(help="the end, UTC; within a year")]


def extend(commands: typer.Typer, runtime: MakeRuntime) -> None:
    """Add them to the command line."""
    group = typer.Typer(help="Monitoring: what money that has moved says about customers.", no_args_is_help=True)
    commands.add_typer(group, name="monitoring")
    _add_parameters(group, runtime)
    _add_silence(group, runtime)
    _add_countries(group, runtime)
    _add_export(group, runtime)

    @commands.command("monitor-backtest")
    def backtest(
        input_path: Annotated[Path, typer.Option("--input", help=".csv or .parquet; the columns are in backtest.py")],
        output: Annotated[Path, typer.Option(help="the folder for alerts.csv and counts.csv")],
        parameters_path: Annotated[
            Path | None,
            typer.Option("--parameters", help="a file like defaults/scenarios.toml, in place of these scenarios'"),
        ] = None,
        in_force: Annotated[
            bool, typer.Option("--in-force", help="begin with the service's parameters and countries, not the shipped")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Say what the scenarios would have raised about a file of movements: nothing is kept, and nobody told."""
        try:
            counts = run_backtest(input_path, output, parameters_path, _standards(runtime()) if in_force else None)
        except (BacktestFault, ParametersFault) as fault:
            fail(str(fault))
        answer("\n".join(f"{name}: {count:,}" for name, count in counts.items()), counts, as_json=as_json)


def _add_parameters(group: typer.Typer, runtime: MakeRuntime) -> None:
    @group.command("scenarios")
    def list_scenarios(as_json: AsJson = False) -> None:
        """What each scenario looks for, and from when on for something else."""
        tell(asked_of.scenarios_view(_standards(runtime()), datetime.now(UTC)), as_json=as_json)

    @group.command("set")
    def set_parameters(
        scenario: Scenario,
        changes: Annotated[list[str], typer.Argument(help="NAME=VALUE …; what is not named stays")],
        reason: Reason,
        actor: Actor,
        effective_from: Annotated[datetime | None, typer.Option("--from", help="UTC; else as it is confirmed")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Propose that a scenario looks for something else from a moment on: another person confirms it at the desk."""
        found = runtime()
        since = effective_from and effective_from.replace(tzinfo=UTC)
        known = _standards(found).to_come(scenario, since or datetime.now(UTC))[-1]
        try:
            changed = parameters.read(scenario, {**values_of(known.parameters), **_values(changes)})
        except ParametersFault as fault:
            fail(str(fault))
        command = SetParameters(
            scenario=scenario, parameters=changed, effective_from=since, reason=reason, by=actor, role=OPERATOR
        )
        values = values_of(changed)
        by = By(actor=actor, reason=reason)
        carry_out(found, command, "monitoring set", by, scenario=scenario, parameters=values, effective_from=since)
        answer(", ".join(f"{name}={value}" for name, value in values.items()), values, as_json=as_json)
        typer.echo(
            "it is in force once one person at the desk has made it theirs and another has confirmed it", err=True
        )

    @group.command("alerts")
    def list_alerts(
        actor: Actor,
        scenario: Scenario | None = None,
        customer: Annotated[str | None, typer.Option(help="a customer's id")] = None,
        state: AlertState | None = None,
        limit: Annotated[int, typer.Option(min=1, max=PAGE_LENGTH_MAX)] = 50,
        as_json: AsJson = False,
    ) -> None:
        """The newest alerts."""
        found = runtime()
        page = asked_of.list_alerts(
            found.engine, scenario=scenario, customer_id=_an_id(customer), state=state, limit=limit
        )
        looks.put_down(found, Signature(actor=actor, role=OPERATOR), ObjectKind.ALERTS, customer or "")
        tell(page["alerts"], as_json=as_json)


def _add_silence(group: typer.Typer, runtime: MakeRuntime) -> None:
    def silence(
        kind: SilenceKind, customer: str, scenario: Scenario, until: datetime, by: By, *, as_json: bool
    ) -> None:
        _an_id(customer)
        end = until.replace(tzinfo=UTC)
        command = SilenceScenario(
            customer_id=customer,
            scenario=scenario,
            kind=kind,
            until=end,
            reason=by.reason,
            by=by.actor,
            role=OPERATOR,
        )
        told = {"customer_id": customer, "scenario": scenario, "until": end}
        carry_out(runtime(), command, f"monitoring {kind.value}", by, **told)
        answer(f"silent until {end:%Y-%m-%d %H:%M} UTC", {"kind": kind, **told}, as_json=as_json)

    @group.command()
    def suppress(
        customer: str, scenario: Scenario, until: Until, reason: Reason, actor: Actor, as_json: AsJson = False
    ) -> None:
        """Keep alerts of a scenario about a customer silent: why they come is known, and holds until the end."""
        silence(SilenceKind.SUPPRESS, customer, scenario, until, By(actor=actor, reason=reason), as_json=as_json)

    @group.command()
    def snooze(
        customer: str, scenario: Scenario, until: Until, reason: Reason, actor: Actor, as_json: AsJson = False
    ) -> None:
        """Hold alerts of a scenario about a customer back until the end."""
        silence(SilenceKind.SNOOZE, customer, scenario, until, By(actor=actor, reason=reason), as_json=as_json)

    @group.command("end-silence")
    def end_silence(customer: str, scenario: Scenario, reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
        """Suppress or snooze no more."""
        _an_id(customer)
        command = EndSilence(customer_id=customer, scenario=scenario, reason=reason, by=actor, role=OPERATOR)
        told = {"customer_id": customer, "scenario": scenario}
        carry_out(runtime(), command, "monitoring end-silence", By(actor=actor, reason=reason), **told)
        answer("silent no more", told, as_json=as_json)


def _add_countries(group: typer.Typer, runtime: MakeRuntime) -> None:
    @group.command("import-countries")
    def import_countries(path: Path, actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Make a file the lists of countries, in place of all that were; defaults/countries.py names the columns."""
        by = Signature(actor=actor, role=OPERATOR)
        try:
            imported = read_countries(path.name, path.read_bytes(), by=by)
        except (ListingsFault, OSError) as fault:
            fail(f"{path}: nothing was imported: {fault}")
        said = {"source": imported.source, "sha_256": imported.content_hash}
        become = recorded(
            lambda tx: import_countries_of(tx, imported, by=by),
            "monitoring import-countries",
            By(actor=actor, reason=reason),
            **said,
        )
        done = runtime().unit.administer(become)
        answer(str(done), {**said, **asdict(done)}, as_json=as_json)

    @group.command("countries")
    def show_countries(as_json: AsJson = False) -> None:
        """Which country was on which list, and from when to when."""
        countries = _standards(runtime()).countries
        if as_json:
            tell(map(asdict, countries.listings), as_json=True)
            return
        for line in asked_of.countries_view(countries):
            typer.echo(line)


def _add_export(group: typer.Typer, runtime: MakeRuntime) -> None:
    @group.command("export")
    def export(
        output: Annotated[Path, typer.Option(help="the .csv file, as monitor-backtest reads it")],
        since: Annotated[datetime, typer.Option("--from", help="movements from this moment on, UTC")],
        actor: Actor,
        until: Annotated[datetime | None, typer.Option("--until", help="and before this one, UTC; else all")] = None,
        reason: Reason = "",
        as_json: AsJson = False,
    ) -> None:
        """Write what has moved, as monitoring saw it, to a file for a run over history."""
        found, end = runtime(), until.replace(tzinfo=UTC) if until else None
        try:
            done = export_movements(found, output, since.replace(tzinfo=UTC), end)
        except (FileFault, OSError) as fault:
            fail(f"{output} was not written: {fault}")
        said = f"{done}, to {output.name}" + (f": {reason}" if reason else "")
        by = Signature(actor=actor, role=OPERATOR)
        happening = by.happening(datetime.now(UTC), AuditVerb.LOOKED, ObjectKind.SCENARIOS, details=said)
        found.unit.administer(lambda tx: audit.append(tx, happening))
        answer(said, asdict(done), as_json=as_json)


def _standards(runtime: Runtime) -> Standards:
    assert isinstance(runtime.settings, ComplianceSettings)
    with transaction(runtime.engine) as tx:
        return live_standards(runtime.settings).current(tx)


def _values(changes: list[str]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for change in changes:
        name, is_given, value = change.partition("=")
        if not is_given:
            fail(f"{change!r} is not NAME=VALUE")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    plain = text.replace("_", "")
    return int(plain) if plain.isdigit() else text


def _an_id(customer: str | None) -> str | None:
    if customer is not None and not ids.is_id(customer):
        fail(f"a customer's id is a UUID in lower case, and not {customer!r}")
    return customer
