"""The words of customers' names, by which they are found at the desk."""

from alembic import op

revision = "compliance_0018"
down_revision = "compliance_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(_WORDS)


_WORDS = """
CREATE TABLE customer_words (
  word text COLLATE "C" NOT NULL,
  customer_id uuid NOT NULL,
  PRIMARY KEY (word, customer_id)
);
CREATE INDEX customer_words_by_customer ON customer_words (customer_id, word);

-- Of those that are there, the words as they are written in Latin letters; how they sound comes with what is told anew.
INSERT INTO customer_words (word, customer_id)
SELECT DISTINCT w.word, c.customer_id
  FROM customers c
 CROSS JOIN LATERAL regexp_split_to_table(lower(c.body::json -> 'subject' ->> 'name'), '[^a-z0-9]+') AS w (word)
 WHERE w.word <> '';
"""
