"""Users: their own profile, and the administrators' view of all.

Flaws: the list is open to every user and holds e-mails and password hashes; PATCH writes whatever column it is sent.
"""

import sqlite3
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from shop.caller import Admin, Caller, Database, User
from shop.database import Row, first, rows
from shop.problems import problems

router = APIRouter(prefix="/users", tags=["users"], responses=problems(401, 403, 404))


class PublicUser(BaseModel):
    """A user as the user sees it."""

    id: int
    email: str
    name: str
    phone: str | None
    address: str | None
    role: str
    credit_cents: int
    created_at: str


class ProfileChange(BaseModel):
    """What a user may change. Described as closed, yet read with everything else that comes along."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})

    name: str | None = Field(default=None, min_length=1, max_length=80)
    phone: str | None = Field(default=None, max_length=30)
    address: str | None = Field(default=None, max_length=200)


@router.get("")
async def list_users(caller: User, connection: Database, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
    """All users, for the administrators' page; nobody checks that an administrator asks."""
    return rows(connection, "SELECT * FROM users ORDER BY id LIMIT ? OFFSET ?", limit, offset)


@router.get("/me")
async def read_own_profile(caller: User, connection: Database) -> PublicUser:
    """The caller's own profile."""
    return PublicUser.model_validate(dict(_user(connection, caller.id)))


@router.get("/{user_id}")
async def read_user(user_id: int, caller: User, connection: Database) -> PublicUser:
    """A profile: one's own, or any for an administrator."""
    _own_or_admin(caller, user_id)
    return PublicUser.model_validate(dict(_user(connection, user_id)))


@router.patch("/{user_id}")
async def change_user(user_id: int, change: ProfileChange, caller: User, connection: Database) -> PublicUser:
    """Change parts of one's own profile."""
    _own_or_admin(caller, user_id)
    _user(connection, user_id)
    columns = {row["name"] for row in connection.execute("PRAGMA table_info(users)")} - {"id"}
    for column, value in change.model_dump(exclude_unset=True).items():
        if column in columns:
            connection.execute(f"UPDATE users SET {column} = ? WHERE id = ?", (value, user_id))
    return PublicUser.model_validate(dict(_user(connection, user_id)))


@router.delete("/{user_id}", status_code=204)
async def delete_user(user_id: int, caller: Admin, connection: Database) -> None:
    """Remove a user with carts and orders; for administrators."""
    _user(connection, user_id)
    connection.execute("DELETE FROM users WHERE id = ?", (user_id,))


@router.get("/{user_id}/orders")
async def list_orders_of_user(user_id: int, caller: User, connection: Database) -> list[dict[str, Any]]:
    """The orders of a user: one's own, or any for an administrator."""
    _own_or_admin(caller, user_id)
    return rows(connection, "SELECT id, status, total_cents, created_at FROM orders WHERE user_id = ?", user_id)


def _own_or_admin(caller: Caller, user_id: int) -> None:
    if caller.id != user_id and not caller.is_admin:
        raise HTTPException(403, "not your profile")


def _user(connection: sqlite3.Connection, user_id: int) -> Row:
    user = first(connection, "SELECT * FROM users WHERE id = ?", user_id)
    if not user:
        raise HTTPException(404, "no such user")
    return user
