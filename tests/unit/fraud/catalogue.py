"""A catalogue of fields for tests of rulebooks: those that the default rules go by, and a few more."""

from collections.abc import Mapping

from schemas.payments.events import Channel
from services.fraud.domain.rulebook.fields import Field, Kind
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook

HEAD = "threshold review 0.5 threshold block 0.9\n"
"""What every rulebook needs."""

_CHANNELS = tuple(channel.value for channel in Channel)
_SURE = {
    Kind.NUMBER: (
        "amount hour debtor_attempts_1h debtor_attempts_1d debtor_attempted_1d debtor_attempted_7d debtor_payees_1d "
        "debtor_same_amount_10m debtor_near_cash_threshold_5d debtor_count_30d debtor_frauds_7d debtor_labelled_7d "
        "creditor_count_before_1d_30d creditor_payers_1d creditor_frauds_7d creditor_labelled_7d"
    ),
    Kind.FLAG: "is_cash is_by_program is_weekend is_late is_from_future is_crowded creditor_is_new_to_debtor",
    Kind.TEXT: "ordered_amount currency",
    Kind.LISTS: "debtor_lists creditor_lists device_lists",
}
_PERHAPS_MISSING = {
    Kind.NUMBER: (
        "debtor_average_30d debtor_max_30d debtor_idle_days creditor_snapshot_frauds creditor_snapshot_labelled "
        "device_payers_7d"
    ),
    Kind.FLAG: "device_is_new_to_debtor",
    Kind.TEXT: "ip_country debtor_country creditor_country",
}


def _fields(names: Mapping[Kind, str], *, can_be_missing: bool) -> dict[str, Field]:
    return {
        name: Field(name=name, kind=kind, meaning=f"The {name}.", can_be_missing=can_be_missing)
        for kind, line in names.items()
        for name in line.split()
    }


CATALOGUE = {
    **_fields(_SURE, can_be_missing=False),
    **_fields(_PERHAPS_MISSING, can_be_missing=True),
    "channel": Field(name="channel", kind=Kind.SYMBOL, symbols=_CHANNELS, meaning="How it was ordered."),
}

USUAL: Mapping[str, object] = {
    **{name: 1 for name, field in CATALOGUE.items() if field.kind is Kind.NUMBER},
    **{name: False for name, field in CATALOGUE.items() if field.kind is Kind.FLAG},
    **{name: "x" for name, field in CATALOGUE.items() if field.kind is Kind.TEXT},
    **{name: frozenset() for name, field in CATALOGUE.items() if field.kind is Kind.LISTS},
    **{name: None for name, field in CATALOGUE.items() if field.can_be_missing},
    "channel": "web",
}
"""A payment about which there is nothing to say."""


def compiled(text: str) -> Rulebook:
    """A rulebook. Raises RulebookFaulty."""
    return compile_rulebook(text, CATALOGUE)


def values(rulebook: Rulebook, **known: object) -> list[object]:
    """The values that a rulebook needs: the usual ones, but for some."""
    return [{**USUAL, **known}[name] for name in rulebook.fields]


def rule(condition: str, *, name: str = "a", action: str = "score 0.5", because: str = "so it is") -> str:
    """A rule with some condition."""
    return f'rule {name} "What it means." when {condition} {action} because "{because}"\n'


def fires(condition: str, known: Mapping[str, object] | None = None, *, lets: str = "", **more: object) -> bool:
    """Whether a condition holds for a payment."""
    rulebook = compiled(HEAD + lets + "\n" + rule(condition))
    return bool(rulebook.functions.fired(values(rulebook, **{**(known or {}), **more})))
