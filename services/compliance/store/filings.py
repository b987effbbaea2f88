"""Reports to the authorities and what was done with them: locked and loaded, and how they become rows."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, fetch
from libs.common.writes import Table
from services.compliance.domain.filings import DraftFiling, FilingCommand, ReviseFiling
from services.compliance.filings.filing import Filing, FilingAct

FILINGS = Table(
    "filings",
    key={"filing_id": "uuid"},
    fixed={"case_id": "uuid", "kind": "text"},
    changing={"status": "text", "due_on": "date", "review_on": "date", "body": "text"},
)
FILING_ACTS = Table(
    "filing_acts",
    key={"filing_id": "uuid", "number": "integer"},
    fixed={"kind": "text", "actor": "text", "acted_at": "timestamptz", "note": "text"},
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Filing).decode


def lock_filings(tx: Connection, bodies: Sequence[Any]) -> dict[str, Filing]:
    """Those that officers act on, those that stand on what a new one is about, and those that one continues."""
    commands = [body for body in bodies if isinstance(body, FilingCommand)]
    if not commands:
        return {}
    rows = fetch(
        tx,
        """SELECT filing_id, body FROM filings
            WHERE filing_id = ANY(%b::uuid[]) OR case_id = ANY(%b::uuid[]) AND status <> 'withdrawn'
               OR status = 'filed' AND kind = 'sar' AND body::json ->> 'document_number' = ANY(%b::text[] || ARRAY(
                    SELECT acted.body::json #>> '{sar,prior_document_number}' FROM filings acted
                     WHERE acted.filing_id = ANY(%b::uuid[])))
            ORDER BY filing_id FOR NO KEY UPDATE""",
        (
            (acted := array("uuid", {command.filing_id for command in commands})),
            array("uuid", {command.case_id for command in commands if isinstance(command, DraftFiling)}),
            array("text", _continued(commands)),
            acted,
        ),
    )
    return {filing_id: _decode(body) for filing_id, body in rows}


def _continued(commands: Sequence[FilingCommand]) -> set[str]:
    """The numbers of reports that some are written to continue."""
    written = (command.sar for command in commands if isinstance(command, DraftFiling | ReviseFiling))
    return {str(sar.prior_document_number) for sar in written if sar is not None and sar.prior_document_number}


def filing_row(filing: Filing) -> tuple[Any, ...]:
    """A row of FILINGS."""
    return (
        filing.filing_id,
        filing.case_id,
        filing.kind.value,
        filing.status.value,
        filing.due_on.isoformat(),
        filing.review_on and filing.review_on.isoformat(),
        _encode(filing).decode(),
    )


def act_row(act: FilingAct) -> tuple[Any, ...]:
    """A row of FILING_ACTS."""
    return (act.filing_id, act.number, act.kind.value, act.actor, act.acted_at, act.note)
