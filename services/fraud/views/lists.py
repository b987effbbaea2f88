"""Entries of lists."""

from datetime import datetime

from libs.common.fields import View
from services.fraud.domain.entities import EntityKind


class ListEntryView(View):
    """An account or a device on a list; a device by an id that is made of its name."""

    entry_id: str
    list: str
    kind: EntityKind
    entity_id: str
    reason: str
    added_by: str
    added_at: datetime
    until: datetime | None
    is_current: bool


class ListEntryPage(View):
    """Some entries, and the cursor of the next page if there is one."""

    entries: "list[ListEntryView]"
    next_cursor: str | None
