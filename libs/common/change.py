"""A request to change something, on its way to its commands and back with its answer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from libs.common import ids
from libs.common.edge import Edge, Respond
from libs.common.http import Caller, IdempotencyKey, Who, request_key, respond
from libs.common.message import Command, Message


class Change:
    """Who asks, under which Idempotency-Key, in which words. A route gets it by naming it as a parameter: `Asked`."""

    def __init__(self, request: Request, who: Caller, key: str) -> None:
        self.who = who
        self.key = key
        self._request = request

    async def carry_out(self, edge: Edge, route: str, commands: Sequence[Command], answer: Respond) -> Response:
        """Have the commands carried out, together and once, and answer. Raises what `Edge.submit` does."""
        # One time for all of them: what is written of it is written once.
        received_at, trace = datetime.now(UTC), self.who.trace
        messages = [
            Message(message_id=ids.new(), body=command, received_at=received_at, trace=trace) for command in commands
        ]
        body = await self._request.body()
        return respond(await edge.submit(request_key(self.who, route, self.key), body, messages, answer))

    async def recall(self, edge: Edge, route: str) -> Response | None:
        """The answer that the same request was given before, if it was. Raises what `Edge.recall` does."""
        known = await edge.recall(request_key(self.who, route, self.key), await self._request.body())
        return respond(known) if known is not None else None


async def _asked(request: Request, who: Who, key: IdempotencyKey) -> Change:
    # Not the class itself: what is not a coroutine costs every request a thread's wake-up.
    return Change(request, who, key)


Asked = Annotated[Change, Depends(_asked)]
