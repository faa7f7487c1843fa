"""What became of fixes: merged ones under watch, and cases to learn from."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from ai_ops.store.tables.columns import JsonText, UtcDateTime, metadata, seq, table

# Whether a merged fix holds, for each issue that it was to mend. Made when it is missing.
fix_watches = table(
    "fix_watches",
    seq(),
    Column("pull_request_id", String(36), ForeignKey("pull_requests.id"), nullable=False),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("repo_key", String(2100), nullable=False),
    Column("merge_sha", String(64), nullable=False),
    Column("merged_at", UtcDateTime, nullable=False),
    Column("state", String(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Column("begun_at", UtcDateTime),
    Column("by_time", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("places", JsonText, nullable=False),
    Column("old_events", BigInteger, nullable=False),
    Column("old_release", String(256), nullable=False),
    Column("recurred_release", String(256), nullable=False),
    Column("recurred_at", UtcDateTime),
    # How far the events were looked at, and how many it had counted then.
    Column("seen_seq", BigInteger, nullable=False),
    Column("seen_count", BigInteger, nullable=False),
    Column("proposed_at", UtcDateTime),
    Column("revert_url", Text, nullable=False),
    Index("uq_fix_watches_pull_request_id_issue_id", "pull_request_id", "issue_id", unique=True),
    Index("ix_fix_watches_state_seq", "state", "seq"),
    Index("ix_fix_watches_issue_id_seq", "issue_id", "seq"),
)

# Whether the build of a release holds a merge commit, as git said; NULL: git knows no such build yet.
fix_builds = Table(
    "fix_builds",
    metadata,
    Column("repo_key", String(2100), primary_key=True),
    Column("merge_sha", String(64), primary_key=True),
    Column("release", String(256), primary_key=True),
    Column("holds", Boolean),
    Column("asked_at", UtcDateTime, nullable=False),
)

# Cases are searched by what they share with an error: ``kind`` is the short name of its type, ``place`` file
# and function where it broke, ``words`` a digest of its message's template. The rest is compared in memory.
bug_cases = table(
    "bug_cases",
    seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("repo_key", String(2100), nullable=False),
    Column("repo_url", String(2100), nullable=False),
    Column("owner", String(2100), nullable=False),
    Column("issue_id", String(36), ForeignKey("issues.id"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("kind", String(200), nullable=False),
    Column("place", String(300), nullable=False),
    Column("words", String(32), nullable=False),
    Column("likeness", JsonText, nullable=False),
    Column("title", String(300), nullable=False),
    Column("error", JsonText, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("cause", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("diff", Text, nullable=False),
    Column("proof", JsonText, nullable=False),
    Column("resolved", Boolean, nullable=False),
    Column("recurrences", Integer, nullable=False),
    Column("last_recurred_at", UtcDateTime),
    Column("task_id", String(36)),
    Column("pull_request_id", String(36)),
    Column("pr_url", Text, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("uq_bug_cases_issue_id_episode", "issue_id", "episode", unique=True),
    Index("ix_bug_cases_repo_key_seq", "repo_key", "seq"),
    Index("ix_bug_cases_repo_key_fingerprint", "repo_key", "fingerprint"),
    Index("ix_bug_cases_repo_key_kind_seq", "repo_key", "kind", "seq"),
    Index("ix_bug_cases_repo_key_place_seq", "repo_key", "place", "seq"),
    Index("ix_bug_cases_repo_key_words_seq", "repo_key", "words", "seq"),
    Index("ix_bug_cases_owner_kind_seq", "owner", "kind", "seq"),
    Index("ix_bug_cases_owner_words_seq", "owner", "words", "seq"),
    Index("ix_bug_cases_kind_seq", "kind", "seq"),
    Index("ix_bug_cases_words_seq", "words", "seq"),
    Index("ix_bug_cases_outcome_seq", "outcome", "seq"),
    Index("ix_bug_cases_fingerprint", "fingerprint"),
)
