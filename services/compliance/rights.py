"""What the compliance service may do with its tables, and what who forgets may do when the law's time is over.

What people did and decided is only added to. The deletion of such records is kept from the service's
role altogether: `forget-records` runs as a role of its own, whose password no service has.
"""

from libs.common.rights import ALL, APPEND, QUEUE, READ, WRITE

RIGHTS = {
    "catalogue": "SELECT, UPDATE",
    # A sequence, whose next number is an update of it.
    "catalogue_versions": "SELECT, UPDATE",
    "list_imports": "SELECT, INSERT, UPDATE (is_live, replaced_at, checked_at), DELETE",
    "listed_parties": APPEND,
    "screened_parties": ALL,
    "screenings": WRITE,
    "customers": WRITE,
    "customer_words": QUEUE,
    "cases": WRITE,
    "case_files": APPEND,
    "case_words": APPEND,
    "case_acts": APPEND,
    "blocked_property": APPEND,
    "filings": WRITE,
    "filing_acts": APPEND,
    "watched_customers": ALL,
    "alerts": ALL,
    "hops": ALL,
    "payment_links": ALL,
    "alert_silences": APPEND,
    "scenario_versions": APPEND,
    "country_imports": APPEND,
    "country_listings": QUEUE,
    "desk_users": WRITE,
    "desk_sessions": ALL,
    "desk_failures": QUEUE,
    "audit_entries": APPEND,
    "audit_head": "SELECT, UPDATE (entry_count, entry_hash)",
    "travel_records": WRITE,
    "linked_transfers": ALL,
    "looking_back": WRITE,
    "rule_changes": WRITE,
    # What is to be imported, for as long as it waits.
    "rule_change_contents": QUEUE,
    "whitelist_pairs": WRITE,
}

_FORGET = "SELECT, DELETE"
RETENTION = {
    "screenings": _FORGET,
    "travel_records": _FORGET,
    "whitelist_pairs": _FORGET,
    "filings": _FORGET,
    "filing_acts": _FORGET,
    "cases": _FORGET,
    "case_words": _FORGET,
    "case_files": _FORGET,
    "case_acts": _FORGET,
    "blocked_property": READ,
    # What was forgotten is counted there.
    "audit_entries": APPEND,
    "audit_head": "SELECT, UPDATE (entry_count, entry_hash)",
    "interventions": APPEND,
}
