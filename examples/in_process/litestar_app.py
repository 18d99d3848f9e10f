"""A Litestar application behind the Shield: `python -m in_process.litestar_app hoplon-state/bundles`."""

import sys
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar import Litestar, get, post
from litestar.params import FromPath, JSONBody

from hoplon.asgi import Shield


@dataclass
class Item:
    """What is posted."""

    name: str


@get("/items/{item_id:str}")
async def item(item_id: FromPath[str]) -> dict[str, str]:
    return {"item": item_id}


@post("/items")
async def add(data: JSONBody[Item]) -> Item:
    return data


@get("/debug")
async def debug() -> dict[str, str]:
    return {"secret": "configuration"}


def make_app(bundles: str, **settings: Any) -> Shield:
    """The application. Around it, and not among its middleware: Litestar routes before those run."""
    return Shield(Litestar([item, add, debug]), bundles=bundles, **settings)


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[1]), port=8000)
