"""The HTTP API of accounts: customers, accounts, transfers, holds, statements, books."""

from collections.abc import Sequence

from fastapi import APIRouter

from libs.common.service import Runtime
from services.accounts.routes import accounts, books, customers, holds, transfers


def routes(runtime: Runtime) -> Sequence[APIRouter]:
    """Everything under /v1: the table of contents."""
    router = APIRouter(prefix="/v1")
    for part in (customers, accounts, transfers, holds, books):
        part.add(router, runtime)
    return [router]
