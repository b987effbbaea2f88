"""What comes from a form of the desk: read with its bounds, known to come from a page of ours, told what is wrong."""

from fastapi import Request
from pydantic import ValidationError

from libs.common import ids
from libs.common.idempotency import KEY_LENGTH_MAX
from services.compliance.desk import guard
from services.compliance.desk.sessions import DeskSession


async def read(request: Request, person: DeskSession, *, fields_max: int) -> dict[str, str]:
    """The words of a form without files. Raises Problem where it does not come from a page this person was shown."""
    async with request.form(max_fields=fields_max, max_files=0) as sent:
        given = {name: value for name, value in sent.items() if isinstance(value, str)}
    guard.require_csrf_token(person, given.get("csrf_token", ""))
    return given


def key_of(given: dict[str, str]) -> str:
    """By which the same form, sent again, is known again."""
    return given.get("request_id", "")[:KEY_LENGTH_MAX] or ids.new()


def first_fault(error: ValidationError) -> str:
    """The first field that is wrong, and how."""
    fault = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
