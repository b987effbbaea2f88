"""What is known of a payment."""

from libs.common.fields import View
from services.fraud.domain.rulebook.fields import Kind


class FeatureView(View):
    """What rules may ask of a payment, and models may go by if it is a number or a flag."""

    name: str
    kind: Kind
    meaning: str
    can_be_missing: bool
    symbols: list[str]
    """The words that it is one of."""


class FeaturesView(View):
    """Every feature there is."""

    features: list[FeatureView]
