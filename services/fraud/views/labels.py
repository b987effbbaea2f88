"""What became of labels."""

from typing import Literal

from libs.common.fields import View
from schemas.fraud.events import Label


class LabelledView(View):
    """A label that was taken."""

    payment_id: str
    status: Literal["labelled"]
    label: Label


class RefusedLabelView(View):
    """A label that was not taken, and why."""

    payment_id: str
    status: Literal["refused"]
    reason: str
    detail: str
    field: str | None


class LabelsView(View):
    """What became of each label, in the order of the request."""

    labels: list[LabelledView | RefusedLabelView]
