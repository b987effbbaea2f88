"""Files of payments: CSV or JSON lines, taken in as they arrive, a chunk to a transaction.

A chunk is a request of its own, under the file's Idempotency-Key and its number: so a file that is
sent again, or again after a broken connection, finds what it has already done and pays nothing
twice; and one that differs from the first under the same key is refused where it differs, be it only
that it goes on where the other ended.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from pydantic import ValidationError

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.card_numbers import without_card_numbers
from libs.common.edge import KeyReused, Respond
from libs.common.fields import Id, reason_of
from libs.common.http import Caller, IdempotencyKey, Who, answer_json, request_key, too_fast
from libs.common.idempotency import Answer, RequestKey
from libs.common.message import Command, Message
from libs.common.openapi import answering, changing, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from libs.common.text import printable
from services.payments import files, queries
from services.payments.domain.intake import CompleteBatch, InitiatePayment, OpenBatch, RefuseLine
from services.payments.domain.payment import Payments
from services.payments.files import FileFormat, LineFault
from services.payments.intake_gate import IntakeGate
from services.payments.requests import EXAMPLE, NewPayment
from services.payments.settings import PaymentsSettings
from services.payments.views import BatchView, UploadView

WORDS_LENGTH_MAX = 300
"""Of what is kept about a line that was refused."""
PATH = "/v1/payment-batches"

_ANOTHER_FILE = Answer(status=HTTPStatus.UNPROCESSABLE_ENTITY.value, body=b"{}")
"""The stored answer to what would make a file another than the one its key was used for."""


_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            files.CSV: {
                "schema": {"type": "string", "description": f"Columns: {', '.join(files.CSV_COLUMNS)}."},
                "example": "debtor_account_id,debtor_name,creditor_account_id,creditor_name,currency,amount\n…",
            },
            files.JSON_LINES[0]: {
                "schema": {"type": "string", "description": "A line each, in the shape of an order to pay."},
                "example": msgspec.json.encode(EXAMPLE).decode() + "\n…",
            },
        },
    }
}


def routes(runtime: Runtime, gate: IntakeGate) -> APIRouter:
    """Everything about files."""
    ask = FileRoutes(runtime, gate)
    router = APIRouter(prefix=PATH, tags=["files of payments"])
    router.post(
        "",
        openapi_extra=_FILE,
        responses=changing(HTTPStatus.UNSUPPORTED_MEDIA_TYPE) | answering(HTTPStatus.OK, UploadView),
    )(ask.order_batch)
    router.get("/{batch_id}", responses=reading(HTTPStatus.NOT_FOUND) | answering(HTTPStatus.OK, BatchView))(
        ask.get_batch
    )
    return router


class FileRoutes:
    """What can be asked about files of payments."""

    def __init__(self, runtime: Runtime, gate: IntakeGate) -> None:
        self._runtime = runtime
        self._gate = gate

    async def order_batch(self, request: Request, who: Who, key: IdempotencyKey) -> dict[str, Any]:
        """Order a file of payments: text/csv with a header, or application/x-ndjson, in UTF-8.

        Each line is accepted or refused on its own; lines count from 1, the header and blank ones apart.
        Sending the same file again under the same key continues where it broke off, or tells again what
        became of it.
        """
        lines = files.read_lines(request.stream())
        file_format = await files.file_format(_media_type(request), lines)
        upload = Upload(self._runtime, self._gate, who, key, file_format)
        async for chunk in files.chunks(lines):
            await upload.take(chunk)
        await upload.complete()
        return upload.summary

    def get_batch(self, batch_id: Id, who: Who) -> dict[str, Any]:
        """How far a file has come in, what became of its payments, and which lines were refused."""
        client_id = who.client.tenant_id
        batch = queries.find_batch(self._runtime.engine, batch_id, client_id=client_id)
        if batch is None:
            raise Problem(HTTPStatus.NOT_FOUND, "not_found", "there is no such batch", field="batch_id")
        return batch


class Upload:
    """One file on its way in. Nothing of it is stored before its first line."""

    def __init__(self, runtime: Runtime, gate: IntakeGate, who: Caller, key: str, file_format: FileFormat) -> None:
        settings = runtime.settings
        assert isinstance(settings, PaymentsSettings)
        self._edge = runtime.edge
        self._gate = gate
        self._who = who
        self._key = key
        self._format = file_format
        self._wait_seconds_max = settings.intake_wait_seconds_max
        self._batch_id = ""
        self._line_count = 0
        self._chunk_count = 0
        self._accepted = 0
        self._refusals: list[dict[str, Any]] = []

    async def take(self, lines: Sequence[bytes]) -> None:
        """Order what a chunk of lines asks for, or find that it was done before.

        Raises KeyReused where the key was used for a file that went on otherwise, or ended here.
        """
        taken = await self._recall_chunk(lines)
        if taken is None:
            # Only what is new takes up room: a file sent again finds out what became of it however busy we are.
            await self._keep_pace(len(lines))
            await self._gate.admit(len(lines), wait_seconds_max=self._wait_seconds_max)
            if not self._batch_id:
                await self._open()
            taken = await self._order(lines)
        self._line_count += len(lines)
        self._chunk_count += 1
        self._accepted += taken["accepted"]
        self._refusals += taken["refusals"]

    async def complete(self) -> None:
        """Note that the file has come in to its end. Raises KeyReused as `take` does, and Problem if it was empty."""
        if not self._line_count:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "empty_file", "there is no payment in it", field="body")
        command = CompleteBatch(batch_id=self._batch_id, line_count=self._line_count)

        def answer(_: Payments, refusals: Sequence[Refusal | None]) -> Answer:
            return _ANOTHER_FILE if any(refusals) else answer_json(HTTPStatus.OK, {})

        await self._submit(self._chunk_key("end"), str(self._line_count).encode(), [command], answer)

    async def _keep_pace(self, lines: int) -> None:
        """Wait until the client may ask for so much more. Raises Problem when that takes too long."""
        give_up_at = time.monotonic() + self._wait_seconds_max
        while not (limit := self._who.take(lines)).is_passed:
            if time.monotonic() + limit.wait_seconds > give_up_at:
                raise too_fast(limit)
            await asyncio.sleep(limit.wait_seconds)

    @property
    def summary(self) -> dict[str, Any]:
        return {
            "batch_id": self._batch_id,
            "lines": self._line_count,
            "accepted": self._accepted,
            "refused": len(self._refusals),
            "refusals": self._refusals[: queries.REFUSALS_SHOWN_MAX],
        }

    async def _recall_chunk(self, lines: Sequence[bytes]) -> dict[str, Any] | None:
        """What became of these lines, if they came in before."""
        if not self._batch_id:
            opened = await self._recall(self._file_key, self._format.signature)
            if opened is None:
                return None
            self._batch_id = opened["batch_id"]
        return await self._recall(self._chunk_key(self._chunk_count), b"\n".join(lines))

    async def _order(self, lines: Sequence[bytes]) -> dict[str, Any]:
        first, end = self._line_count + 1, self._line_count + 1 + len(lines)
        commands = [self._command(line, number) for number, line in enumerate(lines, first)]

        def answer(payments: Payments, refusals: Sequence[Refusal | None]) -> Answer:
            if any(refusals):
                return _ANOTHER_FILE
            refused = [
                {"line": line.line_number, "reason": line.reason, "field": line.field, "detail": line.detail}
                for line in payments.refused_lines
                if line.batch_id == self._batch_id and first <= line.line_number < end
            ]
            return answer_json(HTTPStatus.OK, {"accepted": len(lines) - len(refused), "refusals": refused})

        return await self._submit(self._chunk_key(self._chunk_count), b"\n".join(lines), commands, answer)

    async def _open(self) -> None:
        """Find the batch that this key began, or begin it."""
        batch_id = ids.new()
        opened = await self._submit(
            self._file_key,
            self._format.signature,
            [OpenBatch(batch_id=batch_id, client_id=self._who.client.client_id)],
            lambda _, __: answer_json(HTTPStatus.OK, {"batch_id": batch_id}),
        )
        self._batch_id = opened["batch_id"]

    def _command(self, line: bytes, number: int) -> Command:
        try:
            order = NewPayment.model_validate(self._format.parse(line))
        except LineFault as fault:
            return self._refuse(number, fault.reason, None, str(fault))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or None
            return self._refuse(number, reason_of(first["type"]), place, first["msg"])
        return order.command(
            ids.derive(self._batch_id, "line", number),
            self._who.client,
            batch_id=self._batch_id,
            line_number=number,
        )

    def _refuse(self, number: int, reason: str, field: str | None, detail: str) -> RefuseLine:
        return RefuseLine(
            batch_id=self._batch_id,
            line_number=number,
            reason=reason,
            field=field and without_card_numbers(printable(field))[:WORDS_LENGTH_MAX],
            detail=without_card_numbers(printable(detail))[:WORDS_LENGTH_MAX],
        )

    @property
    def _file_key(self) -> RequestKey:
        return request_key(self._who, "payment-batches", self._key)

    def _chunk_key(self, chunk: int | str) -> RequestKey:
        return request_key(self._who, f"payment-batches/{self._batch_id}", str(chunk))

    async def _submit(
        self, key: RequestKey, body: bytes, commands: Sequence[Command], respond: Respond
    ) -> dict[str, Any]:
        now = datetime.now(UTC)
        messages = [
            Message(message_id=_message_id(command), body=command, received_at=now, trace=self._who.trace)
            for command in commands
        ]
        return _read(await self._edge.submit(key, body, messages, respond))

    async def _recall(self, key: RequestKey, body: bytes) -> dict[str, Any] | None:
        answer = await self._edge.recall(key, body)
        return None if answer is None else _read(answer)


def _read(answer: Answer) -> dict[str, Any]:
    if answer == _ANOTHER_FILE:
        raise KeyReused
    result: dict[str, Any] = msgspec.json.decode(answer.body)
    return result


def _message_id(command: Command) -> str:
    """The id of a line's command is derived from the line: a replay produces the same events."""
    if isinstance(command, InitiatePayment | RefuseLine):
        assert command.batch_id is not None
        return ids.derive(command.batch_id, "command", command.line_number)
    return ids.new()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
