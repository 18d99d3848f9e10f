"""Temperature sensors of the warehouse: report, read, look back, follow live.

Flaw: a reading is described as -40 to 85 degrees, and any number is taken.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from shop.caller import Database, SensorKey
from shop.database import first, rows
from shop.problems import problems

router = APIRouter(prefix="/sensors", tags=["sensors"], responses=problems(404))

SensorId = Annotated[str, Path(pattern=r"^TH-\d{3}$", examples=["TH-003"])]
FOLLOW_SECONDS = 0.2


class Sensor(BaseModel):
    id: str
    location: str


class Reading(BaseModel):
    celsius: float = Field(json_schema_extra={"minimum": -40, "maximum": 85})


class Temperature(Reading):
    measured_at: str


@router.get("")
async def list_sensors(connection: Database) -> list[Sensor]:
    """All sensors."""
    return [Sensor.model_validate(sensor) for sensor in rows(connection, "SELECT id, location FROM sensors")]


@router.get("/{sensor_id}/temperature")
async def read_temperature(sensor_id: SensorId, connection: Database) -> Temperature:
    """The latest reading."""
    return _latest(connection, sensor_id)


@router.put("/{sensor_id}/temperature", responses=problems(401, 403))
async def report_temperature(
    sensor_id: SensorId, reading: Reading, key: SensorKey, connection: Database
) -> Temperature:
    """Report a reading, as the sensor does every few seconds."""
    if not first(connection, "SELECT 1 FROM sensors WHERE id = ? AND key = ?", sensor_id, key):
        raise HTTPException(403, "not the key of this sensor")
    connection.execute(
        "INSERT INTO temperatures (sensor_id, celsius, measured_at) VALUES (?, ?, ?)",
        (sensor_id, reading.celsius, datetime.now(UTC).isoformat(timespec="milliseconds")),
    )
    return _latest(connection, sensor_id)


@router.get("/{sensor_id}/temperature/history")
async def list_temperatures(
    sensor_id: SensorId, connection: Database, limit: Annotated[int, Query(ge=1, le=500)] = 24
) -> list[Temperature]:
    """Past readings, newest first."""
    _latest(connection, sensor_id)
    past = rows(
        connection,
        "SELECT celsius, measured_at FROM temperatures WHERE sensor_id = ? ORDER BY id DESC LIMIT ?",
        *(sensor_id, limit),
    )
    return [Temperature.model_validate(reading) for reading in past]


@router.get(
    "/{sensor_id}/temperature/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def follow_temperature(
    sensor_id: SensorId, connection: Database, count: Annotated[int, Query(ge=1, le=100)] = 5
) -> StreamingResponse:
    """The next readings as server-sent events: the current one at once, then one each 0.2 seconds."""
    _latest(connection, sensor_id)
    return StreamingResponse(_events(connection, sensor_id, count), media_type="text/event-stream")


async def _events(connection: sqlite3.Connection, sensor_id: str, count: int) -> AsyncIterator[str]:
    for number in range(count):
        if number:
            await asyncio.sleep(FOLLOW_SECONDS)
        yield f"id: {number}\ndata: {json.dumps(_latest(connection, sensor_id).model_dump())}\n\n"


def _latest(connection: sqlite3.Connection, sensor_id: str) -> Temperature:
    reading = first(
        connection,
        "SELECT celsius, measured_at FROM temperatures WHERE sensor_id = ? ORDER BY id DESC LIMIT 1",
        sensor_id,
    )
    if not reading:
        raise HTTPException(404, "no such sensor")
    return Temperature.model_validate(dict(reading))
