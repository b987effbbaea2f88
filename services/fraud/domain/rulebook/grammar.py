"""The grammar of rulebooks, for lark, and what its words are called when something else stands there. Pure.

How tightly operators bind, from the loosest:

    if … then … else …              reaches as far to the right as it can
    or
    and
    not
    = != < <= > >= between in is on  one to a comparison: `a < b < c` is none
    + -                              from the left
    * /                              from the left
    - (of one number)
"""

from collections.abc import Set

from services.fraud.domain.rulebook.faults import listed

STATEMENTS = ("THRESHOLD", "LET", "RULE")
"""Words that begin a statement and stand nowhere else, so that reading can go on behind a fault."""

GRAMMAR = r"""
start: threshold | let | rule

threshold: THRESHOLD (REVIEW | BLOCK) NUMBER
let: LET NAME EQUAL expression
rule: RULE NAME text WHEN expression action BECAUSE text
action: SCORE NUMBER | REVIEW | BLOCK | ALLOW
text: TEXT

?expression: disjunction
    | IF expression THEN expression ELSE expression  -> choice
?disjunction: conjunction | conjunction (OR conjunction)+  -> chain
?conjunction: negation | negation (AND negation)+  -> chain
?negation: comparison | NOT negation  -> prefixed
?comparison: sum
    | sum (EQUAL | UNEQUAL | LESS | LESS_EQUAL | GREATER | GREATER_EQUAL) sum  -> infix
    | sum BETWEEN sum AND sum  -> between
    | sum IN LEFT expression (COMMA expression)* RIGHT  -> among
    | sum IS (KNOWN | MISSING)  -> asked
    | NAME ON (NAME | TEXT)  -> on
?sum: product | sum (PLUS | MINUS) product  -> infix
?product: factor | product (TIMES | DIVIDED) factor  -> infix
?factor: atom | MINUS factor  -> prefixed
?atom: LEFT expression RIGHT  -> bracketed
    | NAME LEFT expression (COMMA expression)* RIGHT  -> call
    | NAME  -> name
    | NUMBER  -> number
    | TEXT  -> quoted
    | (TRUE | FALSE)  -> flag

// Never begun with: lark forgets words that no rule names, and these are what it finds where nothing else fits.
unreadable: UNCLOSED | STRANGE

THRESHOLD: "threshold"
LET: "let"
RULE: "rule"
WHEN: "when"
BECAUSE: "because"
SCORE: "score"
REVIEW: "review"
BLOCK: "block"
ALLOW: "allow"
IF: "if"
THEN: "then"
ELSE: "else"
OR: "or"
AND: "and"
NOT: "not"
BETWEEN: "between"
IN: "in"
IS: "is"
KNOWN: "known"
MISSING: "missing"
ON: "on"
TRUE: "true"
FALSE: "false"
EQUAL: "="
UNEQUAL: "!="
LESS_EQUAL: "<="
LESS: "<"
GREATER_EQUAL: ">="
GREATER: ">"
PLUS: "+"
MINUS: "-"
TIMES: "*"
DIVIDED: "/"
LEFT: "("
RIGHT: ")"
COMMA: ","
NAME: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /[0-9][0-9_]*(\.[0-9]+)?/
TEXT: /"([^"\\\n]|\\["\\])*"/
UNCLOSED.-1: /"[^\n]*/
STRANGE.-2: /[^\s]/

%ignore /\s+/
%ignore /#[^\n]*/
"""

_END = "$END"
_VALUES = {"NAME", "NUMBER", "TEXT", "TRUE", "FALSE", "LEFT", "MINUS", "NOT", "IF"}
_OPERATORS = {
    *("PLUS", "MINUS", "TIMES", "DIVIDED", "EQUAL", "UNEQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"),
    *("BETWEEN", "IN", "IS", "ON", "OR", "LEFT"),
}
_ACTIONS = {"SCORE", "REVIEW", "BLOCK", "ALLOW"}
_GROUPS = (
    ({"NAME", "NUMBER"}, _VALUES, "a value"),
    ({"PLUS"}, _OPERATORS, "an operator"),
    ({"SCORE"}, _ACTIONS, "an action (score, review, block or allow)"),
    (set(STATEMENTS), set(STATEMENTS), "threshold, let or rule"),
)
"""Where a file may go on in many ways: what tells so, the words it stands for, and what an analyst calls them."""

_CALLED = {
    "NAME": "a name",
    "NUMBER": "a number",
    "TEXT": "a text in quotes",
    "EQUAL": "“=”",
    "COMMA": "a comma",
    "LEFT": "“(”",
    "RIGHT": "“)”",
}


def expected(terminals: Set[str]) -> str:
    """What may stand somewhere, as an analyst calls it."""
    left, words = set(terminals), []
    for signs, members, called in _GROUPS:
        if signs <= left:
            # Behind a whole comparison, `and` is one operator more; behind `between 1` it is what is needed.
            left -= members | ({"AND"} if "OR" in left and "PLUS" in signs else set())
            words.append(called)
    ends = ["the next threshold, let or rule"] if _END in left else []
    return listed([*sorted(_CALLED.get(word, f"“{word.lower()}”") for word in left - {_END}), *words, *ends])
