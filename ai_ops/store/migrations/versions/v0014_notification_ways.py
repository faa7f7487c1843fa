"""A notification is one message to one receiver, by mail or another way, at its own pace."""

from __future__ import annotations

import json
import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INDEXES = {"thread_recipient_seq": ["thread", "recipient", "seq"], "released_at": ["released_at"],
            "digest": ["digest"]}  # fmt: skip


def upgrade() -> None:
    """Apply. What was tried or may have been before is released; a mail to several becomes several."""
    with op.batch_alter_table("notifications", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint("uq_notifications_key", type_="unique")
        for column in _columns():
            batch.add_column(column)
    _split(op.get_bind())
    op.create_index("uq_notifications_id", "notifications", ["id"], unique=True)
    for name, columns in _INDEXES.items():
        op.create_index(f"ix_notifications_{name}", "notifications", columns)


def downgrade() -> None:
    """Take back: one row stays of each message, the one that waits if one does."""
    rows = _table()
    connection = op.get_bind()
    best: dict[str, Any] = {}
    for row in connection.execute(sa.select(rows.c.seq, rows.c.key, rows.c.state).order_by(rows.c.seq)):
        if row.key not in best or (row.state == "pending" and best[row.key].state != "pending"):
            best[row.key] = row
    kept = {row.seq for row in best.values()}
    gone = [seq for seq in connection.execute(sa.select(rows.c.seq)).scalars() if seq not in kept]
    for seq in gone:
        connection.execute(sa.delete(rows).where(rows.c.seq == seq))
    connection.execute(sa.update(rows).where(rows.c.state == "digested").values(state="sent"))
    for name in (*(f"ix_notifications_{each}" for each in _INDEXES), "uq_notifications_id"):
        op.drop_index(name, table_name="notifications")
    with op.batch_alter_table("notifications", table_kwargs={"sqlite_autoincrement": True}) as batch:
        for column in _columns():
            batch.drop_column(column.name)
        batch.create_unique_constraint("uq_notifications_key", ["key"])


def _columns() -> list[sa.Column[Any]]:
    moment, no = sa.DateTime(timezone=True), sa.false()
    return [
        sa.Column("id", sa.String(36), nullable=False, server_default=""),
        sa.Column("way", sa.String(16), nullable=False, server_default="mail"),
        sa.Column("recipient", sa.String(512), nullable=False, server_default=""),
        sa.Column("kind", sa.String(32), nullable=False, server_default="notice"),
        sa.Column("urgent", sa.Boolean(), nullable=False, server_default=no),
        sa.Column("thread", sa.String(64), nullable=False, server_default=""),
        sa.Column("in_reply_to", sa.String(255), nullable=False, server_default=""),
        *(sa.Column(name, sa.Text(), nullable=False, server_default="") for name in ("why", "url")),
        sa.Column("data", sa.Text(), nullable=False, server_default="{}"),
        *(sa.Column(name, moment, nullable=True) for name in ("released_at", "sent_at")),
        sa.Column("digest", sa.String(255), nullable=False, server_default=""),
    ]


def _table() -> sa.Table:
    return sa.Table("notifications", sa.MetaData(), autoload_with=op.get_bind())


def _split(connection: sa.Connection) -> None:
    rows = _table()
    seqs = connection.execute(sa.select(rows.c.seq).order_by(rows.c.seq)).scalars().all()
    for seq in seqs:  # one at a time: their texts are long
        row = dict(connection.execute(sa.select(rows).where(rows.c.seq == seq)).mappings().one())
        receivers = list(dict.fromkeys(json.loads(row["recipients"]))) or [""]
        row["released_at"] = row["created_at"]
        for number, recipient in enumerate(receivers):
            name = f"ai-ops:notification:{row['key']}\0{recipient}"
            made = {**row, "recipient": recipient, "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name))}
            if number == 0:
                connection.execute(sa.update(rows).where(rows.c.seq == seq).values(made))
            else:
                made.pop("seq")
                connection.execute(sa.insert(rows), made)
