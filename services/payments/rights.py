"""What the payments service may do with its tables."""

from libs.common.rights import QUEUE, WRITE

RIGHTS = {
    "payments": WRITE,
    "refunds": WRITE,
    "known_accounts": WRITE,
    "batches": WRITE,
    "refused_lines": QUEUE,
    "quotas": WRITE,
}
