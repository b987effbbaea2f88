"""What the accounts service may do with its tables. What has been booked stays booked."""

from libs.common.rights import APPEND, WRITE

RIGHTS = {
    "customers": WRITE,
    "accounts": WRITE,
    "holds": WRITE,
    "refunds": WRITE,
    "transfers": APPEND,
    "entries": APPEND,
}
