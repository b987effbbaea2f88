"""Settings that only compliance has."""

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
from pydantic import Field, SecretStr
from pydantic_settings import SettingsError

from libs.common.settings import Settings
from services.compliance.defaults.travel import FOLDER, TravelFault, read_rules, read_worths
from services.compliance.diligence.rating import RiskTable, read_table
from services.compliance.domain.people import Role
from services.compliance.domain.work import Policy
from services.compliance.filings.efiling import Institution
from services.compliance.travel.rules import TravelRules

SEEDED_USERS = ("analyst1", "analyst2")
"""The two people of a house that has no others: as supervisors, each may confirm what the other has proposed."""


class ComplianceSettings(Settings):
    remember_days: int = Field(30, description="a party once screened is not searched for again within this")
    review_days: int = Field(5, description="a customer's case is to be decided within this many days")
    look_back_days: int = Field(
        30, ge=0, description="when a list changes, payments that settled within this are looked at again; 0: none"
    )
    lists_bytes_max: int = Field(256 * 1024 * 1024, description="largest file of a list")
    shrink_max: float = Field(0.3, description="a list that loses a larger share of its entries is taken for broken")

    desk_session_hours: float = Field(12, description="a person signs in again after this")
    desk_idle_minutes: float = Field(30, description="a session ends when it has not been used for so long")
    desk_password_analyst1: SecretStr | None = Field(None, description="for seed-users; made up and printed if unset")
    desk_password_analyst2: SecretStr | None = Field(None, description="for seed-users; made up and printed if unset")

    jurisdictions: tuple[str, ...] = Field(
        ("US", "EU"), description="whose travel rules the house is under, as JSON; rules are named in the file below"
    )
    travel_rule_file: Path | None = Field(
        None, description="rules in place of those that ship (defaults/travel.py names the columns)"
    )
    worths_file: Path | None = Field(
        None, description="what currencies are worth, in place of what ships; of one that is not named all is asked"
    )
    linked_hours: float = Field(
        24,
        ge=0,
        le=24 * 31,
        description="transfers between the same two parties within this are linked, where a rule asks; 0: none",
    )
    risk_file: Path | None = Field(None, description="how customers are rated, in place of defaults/risk.toml")
    document_provider: Literal["simulated", "none"] = Field(
        "none", description="who checks documents: none, or simulated, for a demonstration, by diligence/providers.py"
    )
    document_delay_seconds: float = Field(0, ge=0, le=3, description="how long the simulated provider takes")
    desk_oidc_issuer: str | None = Field(
        None, description="address of an OpenID provider by which people sign in at the desk, besides by passwords"
    )
    desk_oidc_client_id: str = Field("weir-desk", description="as what the provider knows the desk")
    desk_oidc_client_secret: SecretStr | None = Field(None, description="none for a public client: PKCE is always used")
    desk_oidc_username_claim: str = Field("preferred_username", description="the claim that names somebody")
    desk_oidc_role_claim: str = Field("roles", description="the claim, a word or a list, with one word for a role")
    desk_oidc_roles: tuple[tuple[str, Role], ...] = Field(
        (), description='role by that word, as JSON: `[["aml-team", "analyst"]]`; else the words are the roles\' names'
    )

    payments_url: str | None = Field(
        None,
        description="where payments answers: a case then shows the payment's whole timeline; with a key of staff's",
    )
    payments_key: SecretStr | None = Field(None, description="the API key, with scopes read and staff, for that")

    institution_file: Path | None = Field(
        None,
        description="a JSON file that says who files reports to the authorities: Institution in filings/efiling.py",
    )

    @property
    def policy(self) -> Policy:
        return Policy(
            remember_for=timedelta(days=self.remember_days),
            review_customers_within=timedelta(days=self.review_days),
            look_back_for=timedelta(days=self.look_back_days),
            institution=self._institution,
            travel=self._travel,
            risk=self._risk,
        )

    @cached_property
    def _risk(self) -> RiskTable:
        path = self.risk_file or FOLDER / "risk.toml"
        try:
            return read_table(path.read_bytes(), type=RiskTable)
        except msgspec.MsgspecError as error:
            raise SettingsError(f"{path}: {error}") from error

    @cached_property
    def _travel(self) -> TravelRules:
        rules_path = self.travel_rule_file or FOLDER / "travel_rule.csv"
        worths_path = self.worths_file or FOLDER / "worths.csv"
        try:
            rules = read_rules(rules_path.read_bytes())
        except TravelFault as fault:
            raise SettingsError(f"{rules_path}: {fault}") from fault
        try:
            worths = read_worths(worths_path.read_bytes())
        except TravelFault as fault:
            raise SettingsError(f"{worths_path}: {fault}") from fault
        if strangers := set(self.jurisdictions) - {rule.jurisdiction for rule in rules}:
            raise SettingsError(f"WEIR_JURISDICTIONS: no rule in {rules_path} is of {', '.join(sorted(strangers))}")
        linked_within = timedelta(hours=self.linked_hours)
        return TravelRules(rules, worths, self.jurisdictions, linked_within=linked_within)

    @cached_property
    def _institution(self) -> Institution | None:
        if self.institution_file is None:
            return None
        try:
            return msgspec.json.decode(self.institution_file.read_bytes(), type=Institution)
        except msgspec.MsgspecError as error:
            raise SettingsError(f"{self.institution_file}: {error}") from error
