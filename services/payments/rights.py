"""What the payments service may do with its tables."""

from libs.common.rights import APPEND, WRITE

RIGHTS = {
    "payments": WRITE,
    "refunds": WRITE,
    "known_accounts": WRITE,
    "batches": WRITE,
    "refused_lines": APPEND,
    "quotas": WRITE,
}
