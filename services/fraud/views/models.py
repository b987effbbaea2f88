"""Models and their cards."""

from libs.common.fields import View
from services.fraud.views.versions import ChangeView, VersionView


class ReferenceView(View):
    """How a feature, or the score, was distributed in training: the ends of its bins, and the share of each, and last
    of what was missing."""

    edges: list[float]
    shares: list[float]


class CardView(View):
    """What a model was made of, and how well it did on weeks that it had not seen."""

    name: str
    trained_from: str
    trained_until: str
    payments: int
    frauds: int
    label_delay_days: int
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    importances: dict[str, float]
    references: dict[str, ReferenceView]


class ModelView(VersionView):
    """A model with all that was done with it. One that can't be used any more has a `fault`."""

    fields: list[str]
    card: CardView | None
    fault: str | None
    changes: list[ChangeView]
