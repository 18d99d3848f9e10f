"""Registering, logging in, and getting back in with a code from an e-mail.

Flaws: no limit on attempts (`limits`), answers that tell which e-mails exist, a reset code of four digits, and a
logout that leaves the token valid.
"""

import secrets
import sqlite3
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, EmailStr, Field

from shop import passwords
from shop.caller import Database, TokenIssuer, User
from shop.database import Row, first
from shop.problems import problems
from shop.resources.users import PublicUser
from shop.tokens import LIFETIME_SECONDS

router = APIRouter(prefix="/auth", tags=["auth"])


class Registration(BaseModel):
    email: EmailStr
    password: str = Field(min_length=8, max_length=128)
    name: str = Field(min_length=1, max_length=80)


class Credentials(BaseModel):
    email: EmailStr
    password: str = Field(max_length=128)


class AccessToken(BaseModel):
    access_token: str
    token_type: str = "Bearer"
    expires_in: int = Field(default=LIFETIME_SECONDS, description="seconds")


class ResetRequest(BaseModel):
    email: EmailStr


class Reset(BaseModel):
    email: EmailStr
    code: str = Field(pattern=r"^\d{4}$", description="the four digits from the e-mail")
    new_password: str = Field(min_length=8, max_length=128)


@router.post("/register", status_code=201, responses=problems(409))
async def register(registration: Registration, connection: Database) -> PublicUser:
    """Become a customer."""
    try:
        user_id = connection.execute(
            "INSERT INTO users (email, name, password_hash, created_at) VALUES (?, ?, ?, ?)",
            (
                registration.email.lower(),
                registration.name,
                passwords.hash_password(registration.password),
                datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        ).lastrowid
    except sqlite3.IntegrityError:
        raise HTTPException(409, "this e-mail is registered already") from None
    return PublicUser.model_validate(dict(_user(connection, "id", user_id)))


@router.post("/login", responses=problems(401, 404))
async def login(credentials: Credentials, connection: Database, issuer: TokenIssuer) -> AccessToken:
    """Exchange e-mail and password for an access token."""
    user = _user(connection, "email", credentials.email.lower())
    if not passwords.is_password(credentials.password, user["password_hash"]):
        raise HTTPException(401, "wrong password")
    return AccessToken(access_token=issuer.issue(user["id"], user["role"]))


@router.post("/logout", status_code=204, responses=problems(401))
async def logout(caller: User) -> None:
    """Say goodbye. The token stays valid until it expires: nobody remembers that it should not."""


@router.post("/password-reset", status_code=202, responses=problems(404))
async def request_reset(reset: ResetRequest, connection: Database) -> dict[str, str]:
    """Send a code of four digits to an e-mail address (the shop has no mail server: the code stays in the database)."""
    user = _user(connection, "email", reset.email.lower())
    code = f"{secrets.randbelow(10_000):04d}"
    connection.execute("INSERT OR REPLACE INTO reset_codes VALUES (?, ?)", (user["id"], code))
    return {"status": "sent"}


@router.post("/password-reset/confirm", status_code=204, responses=problems(400, 404))
async def reset_password(reset: Reset, connection: Database) -> None:
    """Set a new password with the code. Any number of codes may be tried, for as long as it takes."""
    user = _user(connection, "email", reset.email.lower())
    if not first(connection, "SELECT 1 FROM reset_codes WHERE user_id = ? AND code = ?", user["id"], reset.code):
        raise HTTPException(400, "wrong code")
    connection.execute(
        "UPDATE users SET password_hash = ? WHERE id = ?", (passwords.hash_password(reset.new_password), user["id"])
    )
    connection.execute("DELETE FROM reset_codes WHERE user_id = ?", (user["id"],))


def _user(connection: sqlite3.Connection, column: str, value: object) -> Row:
    user = first(connection, f"SELECT * FROM users WHERE {column} = ?", value)
    if not user:
        raise HTTPException(404, "no user has this e-mail")
    return user
