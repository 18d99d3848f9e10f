"""Who calls: from the request's bearer token (or a sensor's key) to a user, for handlers to depend on."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from shop.database import first
from shop.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind a request."""

    id: int
    role: str

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def database(request: Request) -> sqlite3.Connection:
    connection: sqlite3.Connection = request.app.state.database
    return connection


def tokens(request: Request) -> Tokens:
    issuer: Tokens = request.app.state.tokens
    return issuer


Database = Annotated[sqlite3.Connection, Depends(database)]
TokenIssuer = Annotated[Tokens, Depends(tokens)]
_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="accessToken")
_sensor_key = APIKeyHeader(name="x-sensor-key", auto_error=False, scheme_name="sensorKey")


async def authenticated(
    connection: Database,
    issuer: TokenIssuer,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The user whose token came along; 401 without a valid one."""
    user_id = issuer.user_id(credentials.credentials) if credentials else None
    user = first(connection, "SELECT id, role FROM users WHERE id = ?", user_id) if user_id else None
    if not user:
        raise HTTPException(401, "log in first", headers={"www-authenticate": "Bearer"})
    return Caller(user["id"], user["role"])


async def administrator(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
    """The user, who must be an administrator; 403 otherwise."""
    if not caller.is_admin:
        raise HTTPException(403, "for administrators only")
    return caller


async def sensor_key(key: Annotated[str | None, Depends(_sensor_key)]) -> str:
    """The key that a sensor reports with; 401 without one."""
    if not key:
        raise HTTPException(401, "send the sensor's key as x-sensor-key")
    return key


User = Annotated[Caller, Depends(authenticated)]
Admin = Annotated[Caller, Depends(administrator)]
SensorKey = Annotated[str, Depends(sensor_key)]
