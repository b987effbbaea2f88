"""What analysts are told when a rulebook is wrong: where, what was found, and what would be right."""

import pytest

from services.fraud.domain.rulebook.bounds import (
    FAULTS_MAX,
    FILE_BYTES_MAX,
    LETS_MAX,
    NESTING_MAX,
    RULES_MAX,
    TEXT_LENGTH_MAX,
)
from services.fraud.domain.rulebook.faults import RulebookFaulty
from services.fraud.domain.rulebook.rulebook import compile_rulebook
from tests.unit.fraud.catalogue import CATALOGUE, HEAD, compiled, rule

LONG = "x" * (TEXT_LENGTH_MAX + 1)


def faults(text: str) -> list[str]:
    with pytest.raises(RulebookFaulty) as raised:
        compile_rulebook(text, CATALOGUE)
    return [f"{fault.line}:{fault.column} {fault.message}" for fault in raised.value.faults]


GRAMMAR = [
    ("amount > 5", "1:1 Found “amount”, expected threshold, let or rule."),
    ("let", "1:4 Found the end of the file, expected a name."),
    ("let x 5", "1:7 Found “5”, expected “=”."),
    ("let x =", "1:8 Found the end of the file, expected a value."),
    ("let x = 1 2", "1:11 Found “2”, expected an operator or the next threshold, let or rule."),
    ("let x == 1", "1:8 Found “=”, expected a value."),
    ("let if = 1", "1:5 Found “if”, expected a name."),
    ("let x = min(1", "1:14 Found the end of the file, expected a comma or “)”."),
    ("let x = amount in 3", "1:19 Found “3”, expected “(”."),
    ("let x = amount between 1 or 2", "1:26 Found “or”, expected “and” or an operator."),
    ("let x = amount is", "1:18 Found the end of the file, expected “known” or “missing”."),
    ("let x = 1 < amount < 2", "1:20 Found “<”, expected an operator or the next threshold, let or rule."),
    ("let x = 5 €", "1:11 Found the character “€”, expected an operator or the next threshold, let or rule."),
    ('rule a when amount > 5', "1:8 Found “when”, expected a text in quotes."),
    ('rule a "b" when is_cash because "c"',
     "1:25 Found “because”, expected an operator or an action (score, review, block or allow)."),
    ('rule a "b" when is_cash score high because "c"', "1:31 Found “high”, expected a number."),
    ('rule a "b" when is_cash score 0.5', "1:34 Found the end of the file, expected “because”."),
    ('rule a "b\nc" when is_cash',
     '1:8 Found a text that has no end on its line, or a \\ before anything but \\ and quotes: “"b”, '
     "expected a text in quotes."),
    ("threshold allow 0.5", "1:11 Found “allow”, expected “block” or “review”."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), GRAMMAR, ids=[text for text, _ in GRAMMAR])
def test_grammar(text: str, fault: str) -> None:
    assert faults(text) == [fault]


MEANING = [
    ("let x = amout > 5", "2:9 There is no field and no let “amout”. Did you mean amount?"),
    ("let x = qqqqqq", "2:9 There is no field and no let “qqqqqq”."),
    ("let x = channel = crad",
     "2:19 “crad” is none of unknown, api, branch, card, file, mobile or web. Did you mean card?"),
    ('let x = channel in (web, "crad")',
     "2:26 “crad” is none of unknown, api, branch, card, file, mobile or web. Did you mean card?"),
    ("let x = (if is_cash then crad else web) = channel",
     "2:26 “crad” is none of unknown, api, branch, card, file, mobile or web. Did you mean card?"),
    ("let x = amount > currency", "2:18 “>” needs numbers, and this is a text."),
    ("let x = amount between 1 and is_cash", "2:30 “between” needs numbers, and this is true or false."),
    ("let x = amount = currency", "2:16 What “=” compares must be of one type, not a number and a text."),
    ("let x = channel = currency",
     "2:17 What “=” compares must be of one type, not one of the words unknown, api, branch, card, file, mobile, web "
     "and a text."),
    ('let x = amount in (1, "2")', "2:16 What “in” compares must be of one type, not a number and a text."),
    ("let x = not amount", "2:13 A condition must be true or false, and this is a number."),
    ("let x = is_cash and (amount or is_late)", "2:22 A condition must be true or false, and this is a number."),
    ("let x = if amount then 1 else 2", "2:12 A condition must be true or false, and this is a number."),
    ("let x = if is_cash then 1 else is_late",
     "2:9 Both branches of if must be of one type, not a number and true or false."),
    ("let x = amount / hour",
     "2:16 “/” divides by fixed numbers other than 0 only. ratio(a, b) divides by anything: by 0, it is missing."),
    ("let x = amount / (3 - 3)",
     "2:16 “/” divides by fixed numbers other than 0 only. ratio(a, b) divides by anything: by 0, it is missing."),
    ("let x = 9_999_999_999_999_999", "2:9 A number can't be larger than 1,000,000,000,000,000."),
    ("let x = 900_000_000_000_000 * 2", "2:29 A number can't be larger than 1,000,000,000,000,000."),
    ("let x = mx(1, 2)", "2:9 There is no function “mx”. Did you mean max?"),
    ("let x = sqrt(1)", "2:9 There is no function “sqrt”. There are min, max, abs and ratio."),
    ("let x = ratio(1)", "2:9 ratio takes 2 values, not 1."),
    ("let x = min(1)", "2:9 min takes 2 to 200 values, not 1."),
    ("let x = ip on blocked", "2:9 There are no lists of “ip”. Lists are kept of debtor, creditor or device."),
    ("let x = device_lists is known", "2:9 Ask for one list after the other: device on NAME_OF_LIST."),
    ("let amount = 5", "2:5 amount is a field already."),
    ("let web = 5", "2:5 web is a word for channel already."),
    ("let Large = 5", "2:5 “Large”: a name has small letters, digits and _ only."),
    (f"let {'x' * 61} = 5", "2:5 A name has at most 60 characters."),
    ("let x = 1\nlet x = 2", "3:5 x is defined already, in line 2."),
    ("let a = b + 1\nlet b = c\nlet c = -a", "2:5 a is defined by itself: a → b → c → a."),
    (rule("is_cash") + rule("is_late"), "3:6 There is a rule a already, in line 2."),
    (rule("amount"), "2:30 A condition must be true or false, and this is a number."),
    (rule("is_cash", action="score 1"),
     "2:38 A score is a chance: at least 0 and below 1. To be certain, write block."),
    (rule("is_cash", because=" "), "2:56 This text says nothing."),
    (rule("is_cash", because=LONG), "2:56 A text has at most 200 characters."),
    (rule(f'currency = "{LONG}"'), "2:41 A text has at most 200 characters."),
    (rule("is_cash", because="as {amout} is"),
     "2:60 There is no field and no let “amout” to show. Did you mean amount?"),
    (rule("is_cash", because="as {amount:q}"), "2:60 A number's format is like 02 or ,.2f or .1f or .0%, and nothing "
     "else has one."),
    (rule("is_cash", because="as {amount!r}"), "2:60 A number's format is like 02 or ,.2f or .1f or .0%, and nothing "
     "else has one."),
    (rule("is_cash", because="as {currency:.1f}"), "2:60 Only numbers have a format, and currency is a text."),
    (rule("is_cash", because="as {amount.real}"),
     "2:60 Only the name of a field or a let can stand in braces, and behind a colon its format."),
    (rule("is_cash", because="as {amount:{hour}}"), "2:60 A number's format is like 02 or ,.2f or .1f or .0%, and "
     "nothing else has one."),
    (rule("is_cash", because="as {device_lists}"), "2:60 There is no field and no let “device_lists” to show."),
    (rule("is_cash", because="as {amount"),
     "2:57 A brace is left open or alone in this reason. Write {{ or }} for a brace itself."),
    ("threshold block 0.8", "2:1 The threshold of block is set already."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), MEANING, ids=[text[:60] for text, _ in MEANING])
def test_meaning(text: str, fault: str) -> None:
    assert faults(HEAD + text) == [fault]


def test_all_faults_are_told_in_the_order_of_the_file() -> None:
    text = HEAD + "let x = amout\nlet y = x + 1 > hoor\n" + rule("is_csh or y", because="{zzzzz}", action="score 2")
    assert [fault.split()[0] for fault in faults(text)] == ["2:9", "3:17", "4:30", "4:42", "4:59"]


def test_every_statement_that_cannot_be_read_is_told() -> None:
    assert [fault.split()[0] for fault in faults("let = 3\nlet x = 1\nlet y == 2\nthreshold 3")] == [
        "1:5",
        "3:8",
        "4:11",
    ]


def test_a_fault_in_a_let_is_not_told_again_where_the_let_is_used() -> None:
    assert len(faults(HEAD + "let x = amout\n" + rule("x > 3 and not x = 2", because="{x:.1f}"))) == 1


def test_every_cycle_is_told_and_nothing_that_only_leads_to_one() -> None:
    found = faults(HEAD + "let a = b\nlet b = a\nlet c = c\nlet d = a + c")
    assert found == ["2:5 a is defined by itself: a → b → a.", "4:5 c is defined by itself: c → c."]


def test_both_thresholds_are_needed_and_in_order() -> None:
    assert faults("") == [
        "1:1 A rulebook needs a line such as: threshold review 0.5",
        "1:1 A rulebook needs a line such as: threshold block 0.9",
    ]
    assert faults("threshold review 0.9 threshold block 0.8") == [
        "1:22 The threshold of review can't be above that of block."
    ]
    assert faults("threshold review 0 threshold block 1.1") == [
        "1:1 A threshold is a score: above 0, and at most 1.",
        "1:20 A threshold is a score: above 0, and at most 1.",
    ]


TOO_DEEP = f"This nests deeper than {NESTING_MAX} operations. A let can hold a part of it."
DEEP = 10_000
NESTED = {
    "not": "not " * DEEP + "is_cash",
    "minus": "-" * DEEP + "amount > 0",
    "sum": "amount + " * DEEP + "amount > 0",
    "if": "(if is_cash then " * (DEEP // 10) + "is_cash" + " else is_late)" * (DEEP // 10),
    "call": "abs(" * DEEP + "amount" + ")" * DEEP + " > 0",
    "and": "(is_cash and " * (DEEP // 10) + "is_cash" + ")" * (DEEP // 10),
}


@pytest.mark.parametrize("condition", NESTED.values(), ids=NESTED)
def test_what_nests_too_deep_is_a_fault_and_no_crash(condition: str) -> None:
    found = faults(HEAD + rule(condition))
    assert len(found) == 1
    assert found[0].endswith(TOO_DEEP)


def test_brackets_alone_are_no_depth() -> None:
    compiled(HEAD + rule("(" * DEEP + "is_cash" + ")" * DEEP))


def test_brackets_without_an_end_are_a_fault() -> None:
    assert faults(HEAD + "let x = " + "(" * DEEP) == [f"2:{9 + DEEP} Found the end of the file, expected a value."]


def test_files_rules_and_lets_are_bounded() -> None:
    assert faults("#" * (FILE_BYTES_MAX + 1)) == ["1:1 A rulebook has at most 131,072 bytes, and this one 131,073."]
    lets = "".join(f"let x{number} = {number}\n" for number in range(LETS_MAX + 1))
    assert faults(HEAD + lets) == [f"{LETS_MAX + 2}:5 A rulebook has at most {LETS_MAX} lets."]
    rules = "".join(rule("is_cash", name=f"r{number}") for number in range(RULES_MAX + 1))
    assert faults(HEAD + rules) == [f"{RULES_MAX + 2}:6 A rulebook has at most {RULES_MAX} rules."]


def test_no_more_faults_are_told_than_anyone_reads() -> None:
    assert len(faults(HEAD + "".join(f"let a{number} = b\n" for number in range(LETS_MAX)))) == FAULTS_MAX
