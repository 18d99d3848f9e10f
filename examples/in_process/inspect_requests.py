"""The engine from plain Python: judge requests that are already there, from a test, a queue or a file.

`python -m in_process.inspect_requests hoplon-state/bundles`
"""

import sys

from hoplon import Engine

REQUESTS = (
    ("GET", "http://api.test/items/1", b""),
    ("POST", "http://api.test/items", b'{"name": "cup"}'),
    ("GET", "http://api.test/items/%2e%2e/debug", b""),
    ("DELETE", "http://api.test/items/1", b""),
)


def verdicts(bundles: str) -> list[str]:
    """One line per request: what would be done, and why."""
    engine = Engine(bundles)
    lines = []
    for method, url, body in REQUESTS:
        headers = [("host", b"api.test"), ("content-type", b"application/json")]
        found = engine.inspect(method, url, headers=headers, body=body, client="192.0.2.7")
        why = ", ".join(violation["code"] for violation in found["violations"]) or "nothing found"
        lines.append(f"{found['action']:6} {method} {found['upstream_target']}: {why}")
    return lines


if __name__ == "__main__":
    print("\n".join(verdicts(sys.argv[1])))
