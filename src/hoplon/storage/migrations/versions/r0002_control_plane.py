"""Policy as versioned rows, and the control plane's own tables: accounts, labels, lists, tokens, audit log, secrets.

The texts of revision 0001 become rows: a row stands for as many versions as had the same content.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OPERATION_NAMESPACE = UUID("6f0e7a52-5f0c-5d5e-9f66-0c9b0d6a3c11")
_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_.-]*\}")
_DOCUMENTS = sa.text(
    "SELECT version, committed_at, document FROM policy_versions WHERE zone_id = :zone ORDER BY version"
).columns(version=sa.Integer, committed_at=sa.DateTime, document=sa.Text)
_CURRENT = sa.text("last_version IS NULL")


def upgrade() -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    with op.batch_alter_table("policy_versions") as table:  # a version outlives its zone
        table.drop_constraint("fk_policy_versions_zone_id", type_="foreignkey")
    account_id = _create_accounts(now)
    _alter_zones(account_id)
    _create_policy_rows()
    _create_lists()
    _create_access()
    for zone_id in op.get_bind().execute(sa.text("SELECT id FROM zones")).scalars().all():
        _write_rows(zone_id)
    with op.batch_alter_table("policy_versions") as table:
        table.drop_column("document")


def downgrade() -> None:
    raise NotImplementedError("an older Hoplon cannot read policy rows: restore the backup that was made before")


def _create_accounts(now: datetime) -> str:
    accounts = op.create_table("accounts", _id(), _text("name", 255), _moment("created_at"), _key("accounts"))
    account_id = uuid4().hex
    op.bulk_insert(accounts, [{"id": account_id, "name": "Hoplon", "created_at": now}])
    return account_id


def _alter_zones(account_id: str) -> None:
    with op.batch_alter_table("zones") as table:
        table.add_column(sa.Column("account_id", sa.String(32)))
        table.add_column(sa.Column("modified_at", sa.DateTime()))
        table.add_column(sa.Column("version", sa.Integer()))
        table.alter_column("name", type_=sa.String(253))
    statement = (
        "UPDATE zones SET account_id = :account,"
        " version = (SELECT max(version) FROM policy_versions WHERE zone_id = zones.id),"
        " modified_at = (SELECT max(committed_at) FROM policy_versions WHERE zone_id = zones.id)"
    )
    op.get_bind().execute(sa.text(statement), {"account": account_id})
    with op.batch_alter_table("zones") as table:
        for name in ("account_id", "modified_at", "version"):
            table.alter_column(name, nullable=False)
        table.create_foreign_key("fk_zones_account_id", "accounts", ["account_id"], ["id"])


def _create_policy_rows() -> None:
    op.create_table(
        "policy_tables",
        *_row_of_zone("policy_tables", "id"),
        _text("feature", 63),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.create_table(
        "operations",
        *_row_of_zone("operations", "row_id"),
        _text("operation_id", 36),
        _text("method", 32),
        _text("host", 253),
        _text("path", 4096),
        _text("template", 4096),
        _moment("created_at"),
        _moment("last_updated"),
    )
    op.create_table(
        "labels",
        *_row_of_zone("labels", "row_id"),
        _text("name", 255),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        _moment("created_at"),
        _moment("last_updated"),
    )
    op.create_table(
        "operation_labels",
        *_row_of_zone("operation_labels", "row_id"),
        _text("source", 7),
        _text("label", 255),
        _text("operation_id", 36),
    )
    _index("policy_tables", "current", "zone_id", "feature", is_current=True, is_unique=True)
    _index("policy_tables", "history", "zone_id", "feature", "first_version")
    _index("operations", "current", "zone_id", "operation_id", is_current=True, is_unique=True)
    _index("operations", "method", "zone_id", "method", "host", "template", is_current=True)
    _index("operations", "host", "zone_id", "host", "template", "method", is_current=True)
    _index("operations", "template", "zone_id", "template", "method", "host", is_current=True)
    _index("operations", "history", "zone_id", "first_version")
    _index("labels", "current", "zone_id", "name", is_current=True, is_unique=True)
    columns = ("zone_id", "operation_id", "source", "label")
    _index("operation_labels", "current", *columns, is_current=True, is_unique=True)
    _index("operation_labels", "label", "zone_id", "source", "label")


def _create_lists() -> None:
    op.create_table(
        "lists",
        _id(),
        sa.Column(
            "account_id", sa.String(32), sa.ForeignKey("accounts.id", name="fk_lists_account_id"), nullable=False
        ),
        _text("kind", 16),
        _text("name", 50),
        _text("description", 500),
        _moment("created_on"),
        _moment("modified_on"),
        _key("lists"),
        sa.UniqueConstraint("name", name="uq_lists_name"),
    )
    op.create_table(
        "list_items",
        _id(),
        _of_list("list_items"),
        _text("key", 2048),
        sa.Column("value", sa.Text(), nullable=False),
        _text("comment", 500),
        _moment("created_on"),
        _moment("modified_on"),
        _key("list_items"),
        sa.UniqueConstraint("list_id", "key", name="uq_list_items_list_id"),
    )
    op.create_table(
        "list_bulk_operations",
        _id(),
        _of_list("list_bulk_operations"),
        _text("status", 16),
        sa.Column("completed", sa.DateTime()),
        sa.Column("error", sa.Text()),
        _key("list_bulk_operations"),
    )


def _create_access() -> None:
    op.create_table(
        "tokens",
        _id(),
        _text("kind", 16),
        _text("name", 120),
        _text("secret_hash", 64),
        _text("status", 16),
        sa.Column("policies", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("not_before", sa.DateTime()),
        sa.Column("expires_on", sa.DateTime()),
        _moment("issued_on"),
        _moment("modified_on"),
        sa.Column("last_used_on", sa.DateTime()),
        _key("tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_tokens_secret_hash"),
    )
    _create_audit_log()
    op.create_table(
        "secrets",
        _id(),
        _text("kind", 63),
        _text("name", 255),
        _text("key_id", 64),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        _moment("created_at"),
        _moment("modified_at"),
        _key("secrets"),
    )
    token = sa.ForeignKey("tokens.id", name="fk_gateways_token_id", ondelete="CASCADE")
    op.create_table(
        "gateways",
        sa.Column("token_id", sa.String(32), token, nullable=False),
        _text("name", 64),
        _moment("last_seen_at"),
        sa.Column("address", sa.String(64)),
        sa.Column("bundle", sa.String(64)),
        sa.Column("mode", sa.String(16)),
        _key("gateways", "token_id", "name"),
    )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("sequence", sa.Integer(), nullable=False),
        _text("id", 36),
        _moment("time"),
        _text("actor_kind", 16),
        _text("actor_id", 255),
        _text("actor_name", 255),
        sa.Column("address", sa.String(64)),
        _text("action", 63),
        _text("resource_type", 63),
        _text("resource_id", 255),
        sa.Column("zone_id", sa.String(32)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("details", sa.Text(), nullable=False),
        _text("previous_hash", 64),
        _text("hash", 64),
        _key("audit_log", "sequence"),
        sa.UniqueConstraint("id", name="uq_audit_log_id"),
    )
    _index("audit_log", "time", "time")
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )


def _write_rows(zone_id: str) -> None:
    """The rows of one zone's documents, oldest first; one document at a time, for there may be many big ones."""
    tables: dict[tuple[str, str], list[int]] = {}
    saved: dict[tuple[str, str, str], list[int]] = {}
    moments: dict[int, datetime] = {}
    for version, moment, document in op.get_bind().execute(_DOCUMENTS, {"zone": zone_id}):
        moments[version] = moment
        content = tomllib.loads(document)
        for entry in content["operations"].pop("saved", []):
            saved.setdefault((entry["method"], entry["host"], entry["path"]), []).append(version)
        for feature in ("zone", "operations"):
            text = json.dumps(content[feature], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            tables.setdefault((feature, text), []).append(version)
    newest = max(moments)
    _insert_tables(zone_id, tables, newest)
    _insert_operations(zone_id, saved, moments, newest)


def _insert_tables(zone_id: str, tables: Mapping[tuple[str, str], list[int]], newest: int) -> None:
    rows = [
        {"zone_id": zone_id, "feature": feature, "content": content, "first_version": first, "last_version": last}
        for (feature, content), versions in tables.items()
        for first, last in _spans(versions, newest)
    ]
    names = ("zone_id", "feature", "content", "first_version", "last_version")
    op.bulk_insert(sa.table("policy_tables", *[sa.column(name) for name in names]), rows)


def _insert_operations(
    zone_id: str, saved: Mapping[tuple[str, str, str], list[int]], moments: Mapping[int, datetime], newest: int
) -> None:
    rows = [
        {
            **_operation(*key),
            "zone_id": zone_id,
            "first_version": first,
            "last_version": last,
            "created_at": moments[first],
            "last_updated": moments[first],
        }
        for key, versions in saved.items()
        for first, last in _spans(versions, newest)
    ]
    names = ("zone_id", "operation_id", "method", "host", "path", "template", "first_version", "last_version")
    columns = [*(sa.column(name) for name in names), *(sa.column(name, sa.DateTime) for name in _TIMES)]
    op.bulk_insert(sa.table("operations", *columns), rows)


_TIMES = ("created_at", "last_updated")


def _spans(versions: Sequence[int], newest: int) -> Iterator[tuple[int, int | None]]:
    """First and last version of the runs without a gap; the run that reaches the newest version is open."""
    start = 0
    for index, version in enumerate(versions):
        if index + 1 == len(versions) or versions[index + 1] != version + 1:
            yield versions[start], None if version == newest else version
            start = index + 1


def _operation(method: str, host: str, path: str) -> dict[str, str]:
    """The documents are canonical, so only the variables need their engine names."""
    template = _renamed(path, "/", "var")
    identity = uuid5(_OPERATION_NAMESPACE, f"{method}\n{_renamed(host, '.', 'hostVar')}\n{template}")
    return {"operation_id": str(identity), "method": method, "host": host, "path": path, "template": template}


def _renamed(text: str, separator: str, word: str) -> str:
    pieces = text.split(separator)
    variables = [index for index, piece in enumerate(pieces) if _VARIABLE.fullmatch(piece)]
    for number, index in enumerate(variables, start=1):
        pieces[index] = f"{{{word}{number}}}"
    return separator.join(pieces)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.String(32), nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*(columns or ("id",)), name=f"pk_{table}")


def _text(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False)


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(), nullable=False)


def _of_list(table: str) -> sa.Column[Any]:
    foreign = sa.ForeignKey("lists.id", name=f"fk_{table}_list_id", ondelete="CASCADE")
    return sa.Column("list_id", sa.String(32), foreign, nullable=False)


def _row_of_zone(table: str, key: str) -> tuple[Any, ...]:
    """What every versioned row has."""
    return (
        sa.Column(key, sa.Integer(), nullable=False),
        sa.Column(
            "zone_id",
            sa.String(32),
            sa.ForeignKey("zones.id", name=f"fk_{table}_zone_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("first_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer()),
        _key(table, key),
    )


def _index(table: str, name: str, *columns: str, is_current: bool = False, is_unique: bool = False) -> None:
    where = _CURRENT if is_current else None
    op.create_index(
        f"ix_{table}_{name}", table, list(columns), unique=is_unique, sqlite_where=where, postgresql_where=where
    )
