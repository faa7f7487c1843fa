"""The ledger: what each call to the model may cost, and did cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "model_calls",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("least_usd", sa.Float(), nullable=False),
        sa.Column("reserved_usd", sa.Float(), nullable=False),
        sa.Column("actual_usd", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_model_calls")),
        sqlite_autoincrement=True,
    )
    for column in ("run_id", "at"):
        op.create_index(f"ix_model_calls_{column}", "model_calls", [column, "reserved_usd", "actual_usd"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("model_calls")
