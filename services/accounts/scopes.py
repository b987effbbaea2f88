"""What a key needs for each request to accounts."""

from enum import StrEnum

from libs.common.scopes import Scope, Scopes


class AccountsScope(StrEnum):
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    ACCOUNTS_READ = "accounts:read"
    """Accounts and their balances."""
    ACCOUNTS_WRITE = "accounts:write"
    """Open, freeze, thaw, close."""
    BOUNDS_WRITE = "bounds:write"
    STATEMENTS_READ = "statements:read"
    FUNDINGS_WRITE = "fundings:write"
    TRANSFERS_READ = "transfers:read"
    TRANSFERS_WRITE = "transfers:write"
    CONVERSIONS_WRITE = "conversions:write"
    HOLDS_READ = "holds:read"
    HOLDS_WRITE = "holds:write"
    BOOKS_READ = "books:read"
    """Whether the ledger is sound, and what it adds up to."""


SCOPES: Scopes = {
    "POST /v1/customers": (AccountsScope.CUSTOMERS_WRITE,),
    "POST /v1/customer-batches": (AccountsScope.CUSTOMERS_WRITE,),
    "GET /v1/customers/{customer_id}": (AccountsScope.CUSTOMERS_READ,),
    "POST /v1/customers/{customer_id}/close": (AccountsScope.CUSTOMERS_WRITE,),
    "POST /v1/accounts": (AccountsScope.ACCOUNTS_WRITE,),
    "GET /v1/accounts": (AccountsScope.ACCOUNTS_READ,),
    "GET /v1/accounts/{account_id}": (AccountsScope.ACCOUNTS_READ,),
    "GET /v1/accounts/{account_id}/balance": (AccountsScope.ACCOUNTS_READ,),
    "POST /v1/accounts/{account_id}/freeze": (AccountsScope.ACCOUNTS_WRITE,),
    "POST /v1/accounts/{account_id}/thaw": (AccountsScope.ACCOUNTS_WRITE,),
    "POST /v1/accounts/{account_id}/close": (AccountsScope.ACCOUNTS_WRITE,),
    "POST /v1/accounts/{account_id}/bounds": (AccountsScope.BOUNDS_WRITE, Scope.STAFF),
    "POST /v1/fundings": (AccountsScope.FUNDINGS_WRITE,),
    "POST /v1/funding-batches": (AccountsScope.FUNDINGS_WRITE,),
    "POST /v1/transfers": (AccountsScope.TRANSFERS_WRITE,),
    "POST /v1/transfer-batches": (AccountsScope.TRANSFERS_WRITE,),
    "POST /v1/conversions": (AccountsScope.CONVERSIONS_WRITE, Scope.STAFF),
    "GET /v1/transfers": (AccountsScope.TRANSFERS_READ,),
    "GET /v1/transfers/{transfer_id}": (AccountsScope.TRANSFERS_READ,),
    "POST /v1/transfers/{transfer_id}/reverse": (AccountsScope.TRANSFERS_WRITE,),
    "POST /v1/holds": (AccountsScope.HOLDS_WRITE,),
    "GET /v1/holds": (AccountsScope.HOLDS_READ,),
    "GET /v1/holds/{hold_id}": (AccountsScope.HOLDS_READ,),
    "POST /v1/holds/{hold_id}/post": (AccountsScope.HOLDS_WRITE,),
    "POST /v1/hold-posting-batches": (AccountsScope.HOLDS_WRITE,),
    "POST /v1/holds/{hold_id}/void": (AccountsScope.HOLDS_WRITE,),
    "GET /v1/accounts/{account_id}/statement": (AccountsScope.STATEMENTS_READ,),
    "GET /v1/accounts/{account_id}/statement.csv": (AccountsScope.STATEMENTS_READ,),
    "GET /v1/accounts/{account_id}/statement.xml": (AccountsScope.STATEMENTS_READ,),
    "GET /v1/accounts/{account_id}/verification": (AccountsScope.BOOKS_READ, Scope.STAFF),
    "GET /v1/trial-balance": (AccountsScope.BOOKS_READ, Scope.STAFF),
    "GET /v1/books": (AccountsScope.BOOKS_READ, Scope.STAFF),
}
