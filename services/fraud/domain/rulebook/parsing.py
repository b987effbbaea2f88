"""From the text of a rulebook to its statements, or to what is wrong with its grammar. Pure.

    text ─ lexer → words ─ cut before each threshold, let and rule → statements ─ LALR parser → syntax

As each statement is read for itself, a fault in one does not hide those in the next.
"""

from collections.abc import Iterable, Iterator, Sequence

from lark import Lark, Token, UnexpectedToken

from libs.common.record import replace
from services.fraud.domain.rulebook import syntax
from services.fraud.domain.rulebook.faults import Faults, quoted
from services.fraud.domain.rulebook.grammar import GRAMMAR, STATEMENTS, expected
from services.fraud.domain.rulebook.tree import TreeBuilder

_END = "$END"
_LARK = Lark(GRAMMAR, parser="lalr", lexer="basic", start=["start", "unreadable"], transformer=TreeBuilder())


def parse(text: str, faults: Faults) -> syntax.Book:
    """The statements of a rulebook that follow the grammar; `faults` gets those that don't."""
    tokens = list(_LARK.lex(text))
    pieces = list(_pieces(tokens))
    behind = [*(piece[0] for piece in pieces[1:]), _end(text)]
    read = [_statement(piece, follower, text, faults) for piece, follower in zip(pieces, behind, strict=False)]
    return syntax.Book(
        thresholds=tuple(one for one in read if isinstance(one, syntax.Threshold)),
        lets=tuple(one for one in read if isinstance(one, syntax.Let)),
        rules=tuple(one for one in read if isinstance(one, syntax.Rule)),
    )


def _pieces(tokens: Iterable[Token]) -> Iterator[Sequence[Token]]:
    piece: list[Token] = []
    for token in tokens:
        if token.type in STATEMENTS and piece:
            yield piece
            piece = []
        piece.append(token)
    if piece:
        yield piece


def _end(text: str) -> Token:
    """The end of the file, as a token with a place."""
    return Token(_END, "", line=text.count("\n") + 1, column=len(text) - text.rfind("\n"))


def _statement(piece: Sequence[Token], follower: Token, text: str, faults: Faults) -> syntax.Statement | None:
    parser = _LARK.parse_interactive(start="start")
    try:
        for token in piece:
            parser.feed_token(token)
        statement: syntax.Statement = parser.feed_eof(piece[-1])  # type: ignore[no-untyped-call]
    except UnexpectedToken as unexpected:
        found = follower if unexpected.token.type == _END else unexpected.token
        accepted = parser.accepts()  # type: ignore[no-untyped-call]
        faults.add(found.line or 1, found.column or 1, f"Found {_called(found)}, expected {expected(accepted)}.")
        return None
    return _with_source(statement, text[piece[0].start_pos : piece[-1].end_pos])


def _with_source(statement: syntax.Statement, source: str) -> syntax.Statement:
    if isinstance(statement, syntax.Threshold):
        return statement
    return replace(statement, source=source)


def _called(token: Token) -> str:
    """What was found, as an analyst calls it."""
    match token.type:
        case "$END":
            return "the end of the file"
        case "UNCLOSED":
            return f"a text that has no end on its line, or a \\ before anything but \\ and quotes: {quoted(token)}"
        case "STRANGE":
            return f"the character {quoted(token)}"
    return quoted(token)
