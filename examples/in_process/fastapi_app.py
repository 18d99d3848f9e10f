"""A FastAPI application behind the Shield: `python -m in_process.fastapi_app hoplon-state/bundles`."""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from hoplon.asgi import Shield


class Item(BaseModel):
    """What is posted."""

    name: str


def make_app(bundles: str, **settings: Any) -> FastAPI:
    """The application; `settings` are the Shield's other arguments."""
    app = FastAPI()
    app.add_middleware(Shield, bundles=bundles, **settings)

    @app.get("/items/{item_id}")
    async def item(item_id: str) -> dict[str, str]:
        return {"item": item_id}

    @app.post("/items", status_code=201)
    async def add(new: Item) -> Item:
        return new

    @app.get("/debug")
    async def debug() -> dict[str, str]:
        return {"secret": "configuration"}

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[1]), port=8000)
