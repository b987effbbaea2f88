"""The key store: the data key of everybody whose personal data we keep, each wrapped by a master key.

A store of its own, outside of every service's database: who restores one of those brings back no key that was
destroyed. It is asked once for a batch, for the keys that this process has not seen lately; while it is away, whoever
needs one waits (Outage).

Services find keys and make them, and can do nothing to those that there are: rotating, destroying and wrapping anew
are an operator's, as a role of its own, and stay on record. The tables are a third one's, who prepares them.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine

from libs.common.database import array, execute, fetch, transaction
from libs.common.errors import Outage
from libs.common.personal_data import KEY_BYTES
from libs.common.record import Record
from libs.common.rights import APPEND, Rights, give, take

REWRAPPED_MAX = 1_000
"""In one transaction."""
_NONCE_BYTES = 12

_TABLES = """
CREATE TABLE IF NOT EXISTS data_keys (
  key_id text PRIMARY KEY,
  owner_id text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  -- Without it the key is destroyed: the row stays, so that a reader can tell what was erased from what is unknown.
  wrapped bytea,
  master_key_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  destroyed_at timestamptz,
  UNIQUE (owner_id, version),
  CONSTRAINT is_wrapped_until_destroyed CHECK (
    (wrapped IS NULL) = (destroyed_at IS NOT NULL) AND (master_key_id IS NULL) = (wrapped IS NULL))
);
CREATE INDEX IF NOT EXISTS data_keys_by_master ON data_keys (master_key_id, key_id);

CREATE TABLE IF NOT EXISTS key_acts (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act text NOT NULL CHECK (act IN ('rotated', 'destroyed', 'rewrapped')),
  owner_id text,
  key_count bigint NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  acted_at timestamptz NOT NULL DEFAULT now()
);
"""
# For everybody, their owner too: what was done to keys is said for good.
_ACTS_ARE_FINAL = (
    """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% are final', TG_TABLE_NAME USING ERRCODE = '23514';
    END $$""",
    """CREATE OR REPLACE TRIGGER key_acts_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON key_acts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
)
RIGHTS: Rights = {"data_keys": APPEND, "key_acts": ""}
"""What services' role may do with the store's tables."""
OPERATORS_RIGHTS: Rights = {
    "data_keys": "SELECT, INSERT, UPDATE (wrapped, master_key_id, destroyed_at)",
    "key_acts": APPEND,
}
OPERATOR_SUFFIX = "_operator"
"""After services' role: who may destroy keys, and wrap them anew."""
_PREPARATION = 7_201_125
"""The advisory lock under which the tables are made: the services that share the store may begin at once."""


class MasterKeys:
    """The keys that wrap data keys: the first wraps new ones, the others are still known."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current_id = next(iter(self._keys))

    def wrap(self, key_id: str, data_key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._keys[self.current_id]).encrypt(nonce, data_key, key_id.encode())

    def unwrap(self, master_key_id: str, key_id: str, wrapped: bytes) -> bytes:
        """Raises Outage for a master key that this process was not given: no message is to blame for that."""
        master = self._keys.get(master_key_id)
        if master is None:
            raise Outage(f"WEIR_MASTER_KEYS has no {master_key_id!r}, which wraps the key {key_id}")
        try:
            return AESGCM(master).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], key_id.encode())
        except InvalidTag:
            raise Outage(f"the master key {master_key_id!r} of WEIR_MASTER_KEYS is not the one of that name") from None


class DataKey(Record):
    """A version of somebody's key; None: destroyed."""

    key_id: str
    owner_id: str
    version: int
    data_key: bytes | None


class KeyStore:
    """What is asked of the key store. Every call raises Outage while it is away."""

    def __init__(self, engine: Engine, masters: MasterKeys) -> None:
        self._engine = engine
        self._masters = masters

    def prepare(self, role: str | None = None, *, revokes: bool = False) -> None:
        """Make its tables, where they are not there yet, and let services' role and operators' in.

        To be called as the tables' owner; without a role, all three are one. With `revokes` both may do no more than
        this release needs.
        """
        with transaction(self._engine) as tx:
            execute(tx, "SELECT pg_advisory_xact_lock(%s)", (_PREPARATION,))
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    execute(tx, statement)
            for statement in _ACTS_ARE_FINAL:
                execute(tx, statement)
            for name, said in {role: RIGHTS, f"{role}{OPERATOR_SUFFIX}": OPERATORS_RIGHTS}.items() if role else ():
                if revokes:
                    take(tx, name)
                give(tx, name, said)
            tx.commit()

    def find(self, *, key_ids: Collection[str], owners: Collection[str]) -> list[DataKey]:
        """The keys of these ids, and all versions of these owners': one query."""
        with transaction(self._engine) as tx:
            return self._find(tx, key_ids, owners)

    def make(self, owners: Collection[str]) -> list[DataKey]:
        """A first key for each of these owners who has none that is not destroyed; all of theirs."""
        with transaction(self._engine) as tx:
            # In the order of their ids, for others may be making the same.
            known: dict[str, list[DataKey]] = {owner: [] for owner in sorted(owners)}
            for key in self._find(tx, (), owners):
                known[key.owner_id].append(key)
            self._insert(
                tx,
                [
                    (owner, max((key.version for key in keys), default=0) + 1)
                    for owner, keys in known.items()
                    if all(key.data_key is None for key in keys)
                ],
            )
            # Those too that another has made meanwhile.
            made = self._find(tx, (), owners)
            tx.commit()
        return made

    def rotate(self, owner: str, *, actor: str, reason: str) -> int:
        """Seal what is to come of an owner under a new key; what was sealed stays readable. Returns its version."""
        with transaction(self._engine) as tx:
            version = max((key.version for key in self._find(tx, (), [owner])), default=0) + 1
            self._insert(tx, [(owner, version)])
            _act(tx, "rotated", owner, 1, actor, reason)
            tx.commit()
        return version

    def destroy(self, owner: str, *, actor: str, reason: str) -> int:
        """Destroy all keys of an owner, for good; how many there were."""
        with transaction(self._engine) as tx:
            count = execute(
                tx,
                """UPDATE data_keys SET wrapped = NULL, master_key_id = NULL, destroyed_at = now()
                    WHERE owner_id = %s AND destroyed_at IS NULL""",
                (owner,),
            )
            _act(tx, "destroyed", owner, count, actor, reason)
            tx.commit()
        return count

    def rewrap(self, *, actor: str, reason: str) -> int:
        """Wrap keys under the current master key that are under another, REWRAPPED_MAX at most; how many those were."""
        with transaction(self._engine) as tx:
            rows = fetch(
                tx,
                """SELECT key_id, master_key_id, wrapped FROM data_keys WHERE master_key_id <> %s
                    ORDER BY key_id LIMIT %s FOR NO KEY UPDATE""",
                (self._masters.current_id, REWRAPPED_MAX),
                binary=True,
            )
            wrapped = [
                self._masters.wrap(key_id, self._masters.unwrap(master_id, key_id, old))
                for key_id, master_id, old in rows
            ]
            execute(
                tx,
                """UPDATE data_keys k SET wrapped = v.wrapped, master_key_id = %s
                     FROM unnest(%b::text[], %b::bytea[]) AS v (key_id, wrapped) WHERE k.key_id = v.key_id""",
                (self._masters.current_id, array("text", [row[0] for row in rows]), array("bytea", wrapped)),
            )
            if rows:
                _act(tx, "rewrapped", None, len(rows), actor, reason)
            tx.commit()
        return len(rows)

    def count_by_master(self) -> Mapping[str | None, int]:
        """How many keys each master key wraps; None: destroyed."""
        with transaction(self._engine) as tx:
            return dict(fetch(tx, "SELECT master_key_id, count(*) FROM data_keys GROUP BY 1 ORDER BY 1"))

    def _find(self, tx: Connection, key_ids: Collection[str], owners: Collection[str]) -> list[DataKey]:
        rows = fetch(
            tx,
            """SELECT key_id, owner_id, version, master_key_id, wrapped FROM data_keys
                WHERE key_id = ANY(%b::text[]) OR owner_id = ANY(%b::text[])""",
            (array("text", key_ids), array("text", owners)),
            binary=True,
        )
        return [self._data_key(row) for row in rows]

    def _data_key(self, row: Sequence[Any]) -> DataKey:
        key_id, owner_id, version, master_key_id, wrapped = row
        data_key = None if wrapped is None else self._masters.unwrap(master_key_id, key_id, wrapped)
        return DataKey(key_id=key_id, owner_id=owner_id, version=version, data_key=data_key)

    def _insert(self, tx: Connection, wanted: Iterable[tuple[str, int]]) -> None:
        rows = [(f"{owner}.{version}", owner, version) for owner, version in wanted]
        if not rows:
            return
        key_ids, owners, versions = zip(*rows, strict=True)
        execute(
            tx,
            """INSERT INTO data_keys (key_id, owner_id, version, wrapped, master_key_id)
               SELECT v.*, %s FROM unnest(%b::text[], %b::text[], %b::integer[], %b::bytea[]) AS v
               ON CONFLICT DO NOTHING""",
            (
                self._masters.current_id,
                array("text", key_ids),
                array("text", owners),
                array("integer", versions),
                array("bytea", [self._masters.wrap(key_id, os.urandom(KEY_BYTES)) for key_id in key_ids]),
            ),
        )


def _act(tx: Connection, act: str, owner: str | None, count: int, actor: str, reason: str) -> None:
    execute(
        tx,
        "INSERT INTO key_acts (act, owner_id, key_count, actor, reason) VALUES (%s, %s, %s, %s, %s)",
        (act, owner, count, actor, reason),
    )
