"""What a page of a listing costs without Hoplon: FastAPI before SQLite, nothing checked, nothing authorised.

`python bench/bare_listing.py DATABASE PORT`
"""

import sqlite3
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

app = FastAPI()
database = sqlite3.connect(sys.argv[1], check_same_thread=False)
database.row_factory = sqlite3.Row


@app.get("/operations")
async def operations(page: int = 1, per_page: int = 20) -> dict[str, Any]:
    """One page in the envelope, in the order in which Hoplon lists."""
    query = "SELECT * FROM operations ORDER BY endpoint, host, method LIMIT ? OFFSET ?"
    found = [dict(row) for row in database.execute(query, (per_page, (page - 1) * per_page))]
    (total,) = database.execute("SELECT count(*) FROM operations").fetchone()
    info = {"page": page, "per_page": per_page, "count": len(found), "total_count": total}
    return {"success": True, "errors": [], "messages": [], "result": found, "result_info": info}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
