"""The words of customers' names, by which they are found at the desk; cases of alerts that are alike."""

from alembic import op

revision = "compliance_0018"
down_revision = "compliance_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_WORDS)
    op.execute(_ALIKE)


_WORDS = """
CREATE TABLE customer_words (
  word text COLLATE "C" NOT NULL,
  customer_id uuid NOT NULL,
  PRIMARY KEY (word, customer_id)
);
CREATE INDEX customer_words_by_customer ON customer_words (customer_id, word);

-- Of those that are there, the words as they are written in plain Latin letters; all others, and how they sound, come
-- when everybody is looked up again, as the next version of the matcher has it done.
INSERT INTO customer_words (word, customer_id)
SELECT DISTINCT w.word, c.customer_id
  FROM customers c
 CROSS JOIN LATERAL regexp_split_to_table(lower(c.body::json -> 'subject' ->> 'name'), '[^a-z0-9]+') AS w (word)
 WHERE w.word <> '';
"""

_ALIKE = """
-- As `domain.alike.likeness_of` says it of cases of alerts; of payments it is said with the next thing that happens.
UPDATE cases SET likeness = encode(sha256(convert_to(concat_ws(E'\\n', 'alerts',
         CASE WHEN is_second_look THEN 'True' ELSE 'False' END,
         (SELECT string_agg(reason, E'\\n' ORDER BY reason COLLATE "C") FROM unnest(reasons) AS r (reason)), ''),
         'UTF8')), 'hex')
 WHERE customer_id IS NOT NULL AND likeness IS NULL AND status IN ('open', 'taken', 'proposed')
   AND body::json -> 'alerts' IS NOT NULL;
"""
