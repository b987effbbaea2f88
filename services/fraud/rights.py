"""What the fraud service may do with its tables. What was released, and by whom, stays on record."""

from libs.common.rights import APPEND, QUEUE, WRITE

RIGHTS = {
    "entities": WRITE,
    "assessments": WRITE,
    "versions": "SELECT, INSERT, UPDATE (state, sequence)",
    "version_changes": APPEND,
    "list_entries": WRITE,
    "shadow_verdicts": QUEUE,
    "tallies": WRITE,
}
