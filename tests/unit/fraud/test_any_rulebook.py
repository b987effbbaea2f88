"""Whatever analysts write and whatever a payment is: rules never fail, and mean what they say."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.fraud.domain.rulebook.bounds import NESTING_MAX, REASON_LENGTH_MAX
from services.fraud.domain.rulebook.faults import Faults, RulebookFaulty
from services.fraud.domain.rulebook.judging import judge
from services.fraud.domain.rulebook.parsing import parse
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook
from tests.unit.fraud.any_rulebook import Meaning, payments, rulebooks
from tests.unit.fraud.catalogue import CATALOGUE, HEAD, compiled, rule, values

QUARTERS = st.one_of(st.integers(-8, 8), st.integers(-4_000, 4_000)).map(lambda quarters: quarters / 4)
MODEST = st.one_of(QUARTERS, QUARTERS.map(int))
WILD = st.one_of(
    st.floats(), st.integers(), st.sampled_from([0, 0.0, -0.0, 1, 10**308, 10**400, -(10**5_000), 5e-324, 1.8e308])
)
PROPERTY = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def sound(text: str) -> Rulebook | None:
    try:
        return compile_rulebook(text, CATALOGUE)
    except RulebookFaulty:
        return None


@PROPERTY
@given(rulebooks(), st.lists(payments(WILD), min_size=1, max_size=4))
def test_no_rule_ever_fails(text: str, wild: list[dict[str, Any]]) -> None:
    try:
        rulebook = compile_rulebook(text, CATALOGUE)
    except RulebookFaulty as faulty:
        assume("larger" not in str(faulty))
        raise
    for known in wild:
        verdict = judge(rulebook, [known[name] for name in rulebook.fields])
        assert all(len(finding.reason) <= REASON_LENGTH_MAX for finding in verdict.findings)


@PROPERTY
@given(rulebooks(), st.lists(payments(MODEST), min_size=1, max_size=4))
def test_rules_mean_what_is_written(text: str, modest: list[dict[str, Any]]) -> None:
    rulebook = sound(text)
    assume(rulebook is not None)
    assert rulebook is not None
    book = parse(text, Faults())
    for known in modest:
        meaning = Meaning(book, known)
        meant = [place for place, rule in enumerate(book.rules) if meaning.of(rule.condition)]
        assert rulebook.functions.fired([known[name] for name in rulebook.fields]) == meant


@settings(max_examples=100)
@given(st.text() | st.lists(st.sampled_from(HEAD.split() + rule("not amount > 5 in (3, )").split())).map(" ".join))
def test_any_text_is_a_rulebook_or_has_faults(text: str) -> None:
    try:
        compile_rulebook(text, CATALOGUE)
    except RulebookFaulty as faulty:
        assert faulty.faults


DEEPEST = {
    "choices": ("(if device_is_new_to_debtor then debtor_average_30d else ", "number", ")", "{} > 1"),
    "sums": ("(debtor_average_30d - ", "number", ")", "{} > 1"),
    "ratios": ("ratio(amount, ", "number", ")", "{} > 1"),
    "minima": ("min(debtor_average_30d, abs(", "number", "))", "{} > 1"),
    "negations": ("not ", "flag", "", "{}"),
    "logic": ("(is_cash and (device_is_new_to_debtor or ", "flag", "))", "{}"),
    "asked": ("(is_cash or not ((", "flag", ") is missing))", "{}"),
}


@pytest.mark.parametrize(("before", "middle", "after", "form"), DEEPEST.values(), ids=DEEPEST)
def test_the_deepest_there_may_be_compiles_and_judges(before: str, middle: str, after: str, form: str) -> None:
    """Also where a let that is used once is written into its deepest place."""
    lets = f"let number = {'abs(' * 6}debtor_max_30d{')' * 6} let flag = {'not ' * 6}is_late "
    deepest, compiles = next(
        (deep, book)
        for deep in range(NESTING_MAX, 0, -1)
        for book in [sound(HEAD + lets + rule(form.format(before * deep + middle + after * deep)))]
        if book is not None
    )
    assert deepest >= NESTING_MAX // 3 - 1
    assert "l0" not in compiles.functions.source
    judge(compiles, values(compiles))
    judge(compiles, values(compiles, debtor_average_30d=1.0, debtor_max_30d=2.0, device_is_new_to_debtor=True))


def test_a_rulebook_without_rules_finds_nothing() -> None:
    assert judge(compiled(HEAD), []).findings == ()
