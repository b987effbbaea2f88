"""What the language means: its operators, missing values, lets, and what a rulebook tells of itself."""

import hashlib

import pytest

from services.fraud.domain.rulebook.faults import RulebookFaulty
from services.fraud.domain.rulebook.rulebook import Action
from tests.unit.fraud.catalogue import HEAD, compiled, fires, rule, values

NAN, INFINITE = float("nan"), float("inf")

HOLDS = [
    # Each operator binds as its row in the grammar says.
    ("1 + 2 * 3 = 7", {}),
    ("10 - 2 - 3 = 5", {}),
    ("12 / 2 / 3 = 2", {}),
    ("-amount + 5 = 3", {"amount": 2}),
    ("-amount * -amount = 4", {"amount": 2}),
    ("not is_cash and is_late", {"is_late": True}),
    ("not (is_cash and is_late)", {"is_late": True}),
    ("is_late or is_cash and is_crowded", {"is_late": True}),
    ("not amount = 3", {"amount": 2}),
    ("if is_cash then is_late else is_crowded or amount = 1", {"amount": 1}),
    ("(if is_cash then 1 else 2) + 1 = 3", {}),
    # Comparisons.
    ("amount between 1 and 3 and hour = 5", {"amount": 3, "hour": 5}),
    ("not amount between 1 and 3", {"amount": 3.01}),
    ("amount in (1, 2, hour)", {"amount": 9, "hour": 9}),
    ('currency in ("EUR", "USD")', {"currency": "USD"}),
    ("channel = card", {"channel": "card"}),
    ('channel = "card" and card = channel', {"channel": "card"}),
    ("channel in (web, card) and channel != web", {"channel": "card"}),
    ("channel = (if is_cash then branch else card)", {"channel": "card"}),
    ("is_cash = is_late", {}),
    ("is_cash != true", {}),
    ('currency = "a \\"b\\" \\\\"', {"currency": 'a "b" \\'}),
    ("device on blocked", {"device_lists": frozenset({"blocked", "seen"})}),
    ('not device on "known mules"', {"device_lists": frozenset({"blocked"})}),
    # Functions.
    ("min(amount, 3, 2) = 2 and max(amount, 3, 2) = 7", {"amount": 7}),
    ("abs(amount) = 7 and abs(-amount) = 7", {"amount": -7}),
    ("ratio(amount, 2) = 3.5 and ratio(amount, hour) = 1", {"amount": 7, "hour": 7}),
    ("1_000 = 1000.0", {}),
    ("debtor_attempts_1h = 3.0 and debtor_attempts_1h > 2.5", {"debtor_attempts_1h": 3}),
    # What is missing: compared it is false, calculated with it is missing, and it can be asked for.
    ("not debtor_average_30d = 1", {}),
    ("not debtor_average_30d != 1", {}),
    ("not (debtor_average_30d < 1 or debtor_average_30d >= 1)", {}),
    ("not debtor_average_30d between 0 and 1", {}),
    ("not amount between debtor_average_30d and 9", {}),
    ("not debtor_average_30d in (1, 2)", {}),
    ("not debtor_average_30d in (debtor_max_30d, 1)", {}),
    ("amount in (debtor_average_30d, 1)", {"amount": 1}),
    ("not ip_country = debtor_country", {}),
    ("not ip_country != debtor_country", {}),
    ("debtor_average_30d is missing and not debtor_average_30d is known", {}),
    ("debtor_average_30d is known", {"debtor_average_30d": 0}),
    ("debtor_average_30d + 1 is missing and 2 * -debtor_average_30d is missing", {}),
    ("min(debtor_average_30d, 1) is missing and abs(debtor_average_30d) is missing", {}),
    ("ratio(1, debtor_average_30d) is missing and ratio(debtor_average_30d, 1) is missing", {}),
    ("ratio(amount, hour) is missing and ratio(1, 0) is missing", {"hour": 0}),
    ("not (ratio(amount, hour) > 1)", {"hour": 0.0}),
    ("(if is_cash then debtor_average_30d else 1) = 1", {}),
    ("(if is_cash then debtor_average_30d else 1) is missing", {"is_cash": True}),
    ("not device_is_new_to_debtor", {}),
    ("not (device_is_new_to_debtor = false or device_is_new_to_debtor = true)", {}),
    ("if device_is_new_to_debtor then is_cash else true", {}),
    ("amount is known", {}),
    # Numbers beyond numbers.
    ("not (amount < 1 or amount >= 1 or amount = 1)", {"amount": NAN}),
    ("amount > 1 and amount - amount != 0", {"amount": INFINITE}),
    ("amount * 1.5 > 1 and amount > 1", {"amount": 10**400}),
    ("amount / 3 < 0 and ratio(amount, hour) < 0", {"amount": -(10**5_000), "hour": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "known"), HOLDS, ids=[condition for condition, _ in HOLDS])
def test_holds(condition: str, known: dict[str, object]) -> None:
    assert fires(condition, known)


def test_lets_may_refer_to_each_other_in_any_order() -> None:
    lets = "let a = b + c let b = 2 * c let c = 5 let d = a > 14 and e let e = not is_cash"
    assert fires("d and a = 15", lets=lets)


def test_lets_may_be_of_any_type_and_missing() -> None:
    lets = 'let home = "DE" let way = channel let new = device_is_new_to_debtor let usual = debtor_average_30d * 2'
    assert fires("ip_country = home and way = card and not new", lets=lets, ip_country="DE", channel="card")
    assert fires("usual is missing and not usual > 0 and new is missing", lets=lets)
    assert fires("usual > 2 and usual < 4 and new and new = true", lets=lets, debtor_average_30d=1.5,
                 device_is_new_to_debtor=True)  # fmt: skip


def test_a_long_row_of_lets_is_no_deep_one() -> None:
    lets = "let x0 = amount\n" + "".join(f"let x{n + 1} = ratio(x{n} + 1, 1)\n" for n in range(400))
    assert fires("x400 = 401", lets=lets, amount=1)


def test_the_fields_are_those_that_rules_and_reasons_need() -> None:
    lets = "let used = amount > 1 let unused = hour > 1 let told = ratio(amount, debtor_max_30d)"
    rulebook = compiled(HEAD + lets + rule("is_cash and used", because="{told} {currency}"))
    assert rulebook.fields == ("amount", "is_cash", "currency", "debtor_max_30d")


def test_a_rulebook_tells_what_is_in_it() -> None:
    text = (
        HEAD
        + 'let large = amount > 5  # much\n\nrule first "What it means."\n  when large # why\n  block because "so"\n'
    )
    rulebook = compiled(text)
    (first,) = rulebook.rules
    assert (first.name, first.meaning, first.action, first.score) == ("first", "What it means.", Action.BLOCK, 0.0)
    assert (first.fields, first.line, first.reason.text) == (("amount",), 4, "so")
    assert first.source == 'rule first "What it means."\n  when large # why\n  block because "so"'
    assert (rulebook.thresholds.review, rulebook.thresholds.block) == (0.5, 0.9)


def test_the_version_is_that_of_the_exact_text() -> None:
    assert compiled(HEAD).version == hashlib.sha256(HEAD.encode()).hexdigest()[:12]
    assert compiled(HEAD).version != compiled(HEAD + " ").version


def test_layout_means_nothing() -> None:
    text = HEAD + rule("amount > 5 and is_cash")
    spread = text.replace(" ", "\r\n\t # and\n ").replace(
        "What\r\n\t # and\n it\r\n\t # and\n means.", "What it means."
    )
    spread = spread.replace("so\r\n\t # and\n it\r\n\t # and\n is", "so it is")
    assert compiled(text).functions.source == compiled(spread).functions.source


@pytest.mark.parametrize(
    "text", ["__import__('os')", "') or True or ('", "'''", '\\" or True', "\\\\", "{0.__class__}"]
)
def test_texts_stay_texts_in_what_is_compiled(text: str) -> None:
    written = text if "\\" in text else text.replace('"', '\\"')
    condition = f'currency = "{written}" or device on "{written}"'
    meant = written.replace('\\"', '"').replace("\\\\", "\\")
    assert not fires(condition)
    assert fires(condition, currency=meant)
    assert fires(condition, device_lists=frozenset({meant}))


@pytest.mark.parametrize(
    "name", ["__import__", "fired", "values", "found", "softened", "None", "__builtins__", "lambda", "f0", "l0", "t0"]
)
def test_names_never_get_into_what_is_compiled(name: str) -> None:
    try:
        written = compiled(HEAD + f"let {name} = amount + 1 " + rule(f"{name} > 1 and {name} < 3"))
    except RulebookFaulty as faulty:
        assert "small letters" in str(faulty)
    else:
        assert written.functions.fired(values(written, amount=1)) == [0]
        assert (
            written.functions.source
            == compiled(HEAD + "let other = amount + 1 " + rule("other > 1 and other < 3")).functions.source
        )


def test_what_is_compiled_has_no_builtins() -> None:
    functions = compiled(HEAD + rule("is_cash")).functions
    assert functions.fired.__globals__["__builtins__"] == {}
