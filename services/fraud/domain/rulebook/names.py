"""What the bare words of a rulebook stand for: a field, a let, or a symbol of what they're compared with. Pure."""

from services.fraud.domain.rulebook import syntax
from services.fraud.domain.rulebook.faults import Faults, listed, quoted, suggestion
from services.fraud.domain.rulebook.fields import LISTS_SUFFIX, Catalogue, Field, Kind
from services.fraud.domain.rulebook.terms import Constant, FieldValue, LetValue, Term

Words = tuple[str, ...]
"""The symbols that may stand somewhere."""


class Names:
    """The fields of the catalogue, and the lets that are checked so far: None for one with a fault."""

    def __init__(self, catalogue: Catalogue, faults: Faults) -> None:
        self.catalogue, self.faults = catalogue, faults
        self.lets: dict[str, Term | None] = {}
        self._entities = [
            name.removesuffix(LISTS_SUFFIX) for name, field in catalogue.items() if field.kind is Kind.LISTS
        ]

    def known(self) -> list[str]:
        """Every name that has a value."""
        return [*(name for name, field in self.catalogue.items() if field.kind is not Kind.LISTS), *self.lets]

    def value(self, name: str) -> Term | None:
        """What a field or a let stands for; None for a let with a fault, and for what is neither."""
        if name in self.catalogue:
            return of_field(self.catalogue[name])
        let = self.lets.get(name)
        if let is None or isinstance(let, Constant):
            return let
        return LetValue(name=name, kind=let.kind, can_be_missing=let.can_be_missing, symbols=let.symbols)

    def resolve(self, node: syntax.Name, words: Words) -> Term | None:
        """What a name stands for where these words may stand as well."""
        if node.name in words:
            return Constant(kind=Kind.SYMBOL, symbols=words, value=node.name)
        field = self.catalogue.get(node.name)
        if field is not None and field.kind is Kind.LISTS:
            entity = node.name.removesuffix(LISTS_SUFFIX)
            return self._fault(node, f"Ask for one list after the other: {entity} on NAME_OF_LIST.")
        if field is None and node.name not in self.lets:
            return self._unknown(node, words)
        return self.value(node.name)

    def resolve_list(self, node: syntax.On) -> tuple[Term, Term] | None:
        """The lists an entity is on, and the one asked for."""
        field = self.catalogue.get(node.entity + LISTS_SUFFIX)
        if field is None or field.kind is not Kind.LISTS:
            known = f"Lists are kept of {listed(self._entities)}." if self._entities else "No lists are kept."
            self._fault(node, f"There are no lists of {quoted(node.entity)}. {known}")
            return None
        if field.symbols and node.list_name not in field.symbols:
            near = suggestion(node.list_name, field.symbols)
            self._fault(node, f"There is no list {quoted(node.list_name)} of {node.entity}.{near}")
            return None
        return of_field(field), Constant(kind=Kind.TEXT, value=node.list_name)

    def words_of(self, node: syntax.Expression) -> Words:
        """The words that what is compared with an expression may be."""
        if isinstance(node, syntax.Name):
            term = self.value(node.name)
            return term.symbols if term is not None and term.kind is Kind.SYMBOL else ()
        if isinstance(node, syntax.Operation) and node.operator == "if":
            return self.words_of(node.operands[1]) or self.words_of(node.operands[2])
        return ()

    def _unknown(self, node: syntax.Name, words: Words) -> Term | None:
        if self.faults.is_full:
            # To look for what was meant takes a while, and nobody would be told.
            return None
        if words:
            near = suggestion(node.name, words)
            return self._fault(node, f"{quoted(node.name)} is none of {listed(words)}.{near}")
        near = suggestion(node.name, self.known())
        return self._fault(node, f"There is no field and no let {quoted(node.name)}.{near}")

    def _fault(self, node: syntax.Node, message: str) -> Term | None:
        """Tell a fault; what has one stands for nothing."""
        self.faults.add(node.line, node.column, message)
        return None


def of_field(field: Field) -> FieldValue:
    """The value of a field."""
    return FieldValue(
        name=field.name, kind=field.kind, can_be_missing=field.can_be_missing, symbols=field.symbols,
    )  # fmt: skip
