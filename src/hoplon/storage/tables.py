"""The tables of the database. Names and types only: who reads and writes them is beside, one file per noun.

Policy is kept as versioned rows: a row belongs to the versions `first_version` to `last_version` of its zone (to all
that follow while that is NULL), so a small change is a small write and every version stays readable
(docs/decisions/0007-policy-rows.md). JSON is stored as text.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

CURRENT = text("last_version IS NULL")


class Moment(TypeDecorator[datetime]):
    """A point in time, stored in UTC; always aware."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _id(name: str = "id") -> Column[str]:
    """32 hexadecimal digits."""
    return Column(name, String(32), primary_key=True)


def _of(name: str, target: str, ondelete: str | None = None) -> Column[str]:
    return Column(name, String(32), ForeignKey(target, ondelete=ondelete), nullable=False)


def _moment(name: str, *, is_optional: bool = False) -> Column[datetime]:
    return Column(name, Moment, nullable=is_optional)


def _versions() -> tuple[Column[int], Column[int]]:
    return Column("first_version", Integer, nullable=False), Column("last_version", Integer)


accounts = Table("accounts", metadata, _id(), Column("name", String(255), nullable=False), _moment("created_at"))

zones = Table(
    "zones",
    metadata,
    _id(),
    _of("account_id", "accounts.id"),
    Column("name", String(253), nullable=False, unique=True),
    _moment("created_at"),
    _moment("modified_at"),
    Column("version", Integer, nullable=False),
)
"""`version` is the zone's newest policy version."""

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("zone_id", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    _moment("committed_at"),
    Column("author", String(255), nullable=False),
    Column("changes", Text, nullable=False),
    Column("bundle", String(64)),
    UniqueConstraint("zone_id", "version"),
)
"""Outlives its zone. `bundle` is NULL until the version is in place."""

policy_tables = Table(
    "policy_tables",
    metadata,
    Column("id", Integer, primary_key=True),
    _of("zone_id", "zones.id", "CASCADE"),
    Column("feature", String(63), nullable=False),
    *_versions(),
    Column("content", Text, nullable=False),
    Index(
        "ix_policy_tables_current", "zone_id", "feature", unique=True, sqlite_where=CURRENT, postgresql_where=CURRENT
    ),
    Index("ix_policy_tables_history", "zone_id", "feature", "first_version"),
)
"""One table of the policy document as JSON, without what its feature keeps in rows of its own."""

operations = Table(
    "operations",
    metadata,
    Column("row_id", Integer, primary_key=True),
    _of("zone_id", "zones.id", "CASCADE"),
    Column("operation_id", String(36), nullable=False),
    Column("method", String(32), nullable=False),
    Column("host", String(253), nullable=False),
    Column("path", String(4096), nullable=False),
    Column("template", String(4096), nullable=False),
    _moment("created_at"),
    _moment("last_updated"),
    *_versions(),
    Index(
        "ix_operations_current", "zone_id", "operation_id", unique=True, sqlite_where=CURRENT, postgresql_where=CURRENT
    ),
    Index(
        "ix_operations_method", "zone_id", "method", "host", "template", sqlite_where=CURRENT, postgresql_where=CURRENT
    ),
    Index(
        "ix_operations_host", "zone_id", "host", "template", "method", sqlite_where=CURRENT, postgresql_where=CURRENT
    ),
    Index(
        "ix_operations_template",
        "zone_id",
        "template",
        "method",
        "host",
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    ),
    Index("ix_operations_history", "zone_id", "first_version"),
)
"""Saved operations. `path` has the user's names of variables, `template` the engine's (`{var1}` …)."""

labels = Table(
    "labels",
    metadata,
    Column("row_id", Integer, primary_key=True),
    _of("zone_id", "zones.id", "CASCADE"),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    _moment("created_at"),
    _moment("last_updated"),
    *_versions(),
    Index("ix_labels_current", "zone_id", "name", unique=True, sqlite_where=CURRENT, postgresql_where=CURRENT),
)
"""Labels that users made."""

operation_labels = Table(
    "operation_labels",
    metadata,
    Column("row_id", Integer, primary_key=True),
    _of("zone_id", "zones.id", "CASCADE"),
    Column("source", String(7), nullable=False),
    Column("label", String(255), nullable=False),
    Column("operation_id", String(36), nullable=False),
    *_versions(),
    Index(
        "ix_operation_labels_current",
        "zone_id",
        "operation_id",
        "source",
        "label",
        unique=True,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    ),
    Index("ix_operation_labels_label", "zone_id", "source", "label"),
)
"""Which operation has which label; `source` is `user` or `managed`."""

rulesets = Table(
    "rulesets",
    metadata,
    Column("row_id", Integer, primary_key=True),
    _of("zone_id", "zones.id", "CASCADE"),
    Column("feature", String(63), nullable=False),
    Column("ruleset_id", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String(255), nullable=False),
    Column("description", Text, nullable=False),
    _moment("last_updated"),
    *_versions(),
    Index("ix_rulesets_current", "zone_id", "feature", unique=True, sqlite_where=CURRENT, postgresql_where=CURRENT),
    Index("ix_rulesets_history", "zone_id", "ruleset_id", "number"),
)
"""One row for each version of a ruleset; `number` is the ruleset's own, `first_version` the zone's."""

rules = Table(
    "rules",
    metadata,
    Column("row_id", Integer, primary_key=True),
    _of("zone_id", "zones.id", "CASCADE"),
    Column("feature", String(63), nullable=False),
    Column("rule_id", String(32), nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", Text, nullable=False),
    _moment("last_updated"),
    *_versions(),
    Index(
        "ix_rules_current",
        "zone_id",
        "feature",
        "rule_id",
        unique=True,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    ),
    Index("ix_rules_history", "zone_id", "feature", "first_version"),
)
"""Custom rules and limits (`feature`). `place` orders them, with gaps, so that moving one is one row; `number` is the
rule's own version."""

lists = Table(
    "lists",
    metadata,
    _id(),
    _of("account_id", "accounts.id"),
    Column("kind", String(16), nullable=False),
    Column("name", String(50), nullable=False, unique=True),
    Column("description", String(500), nullable=False),
    _moment("created_on"),
    _moment("modified_on"),
)

list_items = Table(
    "list_items",
    metadata,
    _id(),
    _of("list_id", "lists.id", "CASCADE"),
    Column("key", String(2048), nullable=False),
    Column("value", Text, nullable=False),
    Column("comment", String(500), nullable=False),
    _moment("created_on"),
    _moment("modified_on"),
    UniqueConstraint("list_id", "key"),
)
"""`key` is the item's value in its one normal form: the same item is in a list once."""

list_bulk_operations = Table(
    "list_bulk_operations",
    metadata,
    _id(),
    _of("list_id", "lists.id", "CASCADE"),
    Column("status", String(16), nullable=False),
    _moment("completed", is_optional=True),
    Column("error", Text),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    Column("kind", String(16), nullable=False),
    Column("name", String(120), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("policies", Text, nullable=False),
    Column("condition", Text, nullable=False),
    _moment("not_before", is_optional=True),
    _moment("expires_on", is_optional=True),
    _moment("issued_on"),
    _moment("modified_on"),
    _moment("last_used_on", is_optional=True),
)
"""API tokens and gateway credentials (`kind`: `api` or `gateway`). Only the hash of a secret is kept."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    _moment("time"),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_id", String(255), nullable=False),
    Column("actor_name", String(255), nullable=False),
    Column("address", String(64)),
    Column("action", String(63), nullable=False),
    Column("resource_type", String(63), nullable=False),
    Column("resource_id", String(255), nullable=False),
    Column("zone_id", String(32)),
    Column("request_id", String(64)),
    Column("details", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_log_time", "time"),
)
"""Append-only: triggers refuse UPDATE and DELETE, and each row's hash covers the one before."""

secrets = Table(
    "secrets",
    metadata,
    _id(),
    Column("kind", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    _moment("created_at"),
    _moment("modified_at"),
)

gateways = Table(
    "gateways",
    metadata,
    Column("token_id", String(32), ForeignKey("tokens.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    _moment("last_seen_at"),
    Column("address", String(64)),
    Column("bundle", String(64)),
    Column("mode", String(16)),
)
"""Gateways elsewhere: when each asked last, from where, which bundle it serves and in which mode it acts. Several may
share a credential; their names tell them apart."""

key_sets = Table(
    "key_sets",
    metadata,
    Column("zone_id", String(32), ForeignKey("zones.id", ondelete="CASCADE"), primary_key=True),
    Column("configuration_id", String(36), primary_key=True),
    Column("url", String(2048), nullable=False),
    Column("keys", Text),
    Column("notes", Text, nullable=False),
    _moment("changed_at", is_optional=True),
    _moment("fetched_at", is_optional=True),
    _moment("tried_at", is_optional=True),
    _moment("due_at"),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
)
"""Keys that were fetched from the URL of a token configuration: beside the policy, in no version. `keys` is the last
good set as JSON, NULL until there was one."""
