"""Files of transactions through the live decisions: the features they give, and a score for each."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from libs.common.record import Record
from services.fraud.domain.history import LABEL_DELAY_DAYS
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Panel
from services.fraud.domain.model import as_rows
from services.fraud.domain.rulebook.rulebook import Rulebook
from services.fraud.laboratory import training
from services.fraud.laboratory.replay import BATCH_SIZE, Replay
from services.fraud.laboratory.training import Known
from services.fraud.laboratory.transactions import Transactions

Array = np.ndarray[Any, Any]
Told = Callable[[int], None]
"""Is told how many payments are done, now and then."""


class Replayed(Record):
    """What a file's payments were judged by, in order of time."""

    known: Known
    rule_scores: Array
    """The rules' own score of each."""


def replay(
    transactions: Transactions,
    rulebook: Rulebook,
    *,
    fields: Sequence[str] = training.FIELDS,
    label_delay_days: int = LABEL_DELAY_DAYS,
    told: Told = lambda _: None,
) -> Replayed:
    """All of a file through the rules, which gives each payment's features as the live path would have known them."""
    judge = Judge(rulebook, also=fields)
    places = [judge.fields.index(name) for name in fields]
    run = Replay(Panel(live=judge), label_delay=timedelta(days=label_delay_days))
    rows = np.empty((len(transactions), len(fields)))
    rule_scores = np.empty(len(transactions))
    waiting: list[list[Any]] = []
    for number, (_, assessment) in enumerate(run.run(transactions.payments())):
        waiting.append([assessment.values[place] for place in places])
        rule_scores[number] = assessment.score
        if len(waiting) == BATCH_SIZE or number + 1 == len(transactions):
            rows[number + 1 - len(waiting) : number + 1] = as_rows(waiting)
            waiting.clear()
            told(number + 1)
    order = transactions.order
    _, numbers = np.unique(np.array(transactions.columns["CUSTOMER_ID"]), return_inverse=True)
    known = Known(
        fields=tuple(fields),
        rows=rows,
        micros=transactions.micros[order],
        is_fraud=(transactions.labels[order] == 1).astype(np.int8),
        cards=numbers[order],
        label_delay_days=label_delay_days,
    )
    return Replayed(known=known, rule_scores=rule_scores)


def score(replayed: Replayed, *, until_micros: int, told: Callable[[float], None] = lambda _: None) -> Array:
    """The chance of fraud of each payment, in order of time; the rules' score where no model had learnt enough."""
    margins = training.scores_over_time(replayed.known, until_micros=until_micros, told=told)
    return np.where(np.isnan(margins), replayed.rule_scores, 1 / (1 + np.exp(-np.nan_to_num(margins))))
