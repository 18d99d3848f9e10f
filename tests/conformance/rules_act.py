"""Runs in the SDK's environment: makes rules and limits with it, asks the gateway until they act, and prints how long
that took, as one JSON object of seconds by what was done. Arguments: the API's base URL, a token, the gateway's URL."""

import http.client
import json
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from cloudflare import Cloudflare  # type: ignore[import-not-found] # of the environment in which this runs

PATIENCE_SECONDS = 20.0
CUSTOM, LIMITS = "http_request_firewall_custom", "http_ratelimit"


def main(base_url: str, token: str, gateway: str) -> dict[str, float]:
    client = Cloudflare(base_url=base_url, api_token=token, max_retries=0)
    account = next(iter(client.accounts.list())).id
    zone = next(iter(client.zones.list())).id

    def status(path: str) -> int:
        connection = http.client.HTTPConnection(urlsplit(gateway).netloc, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    took = {}
    assert status("/admin/users") == 200
    response = {"status_code": 418, "content_type": "text/plain", "content": "short and stout"}
    rule = {
        "action": "block",
        "action_parameters": {"response": response},
        "expression": 'http.request.uri.path wildcard "/admin/*"',
        "ref": "admin",
    }
    client.rulesets.phases.update(CUSTOM, zone_id=zone, rules=[rule])
    ruleset = client.rulesets.phases.get(CUSTOM, zone_id=zone)  # what a write answers, this SDK leaves a dictionary
    took["a rule blocks"] = until(lambda: status("/admin/users") == 418)
    client.rulesets.rules.edit(ruleset.rules[0].id, ruleset_id=ruleset.id, zone_id=zone, enabled=False)
    took["a rule that is off blocks no more"] = until(lambda: status("/admin/users") == 200)

    made = client.rules.lists.create(account_id=account, kind="ip", name="unwanted")
    listed = {"action": "block", "expression": "ip.src in $unwanted", "ref": "unwanted"}
    client.rulesets.rules.create(ruleset.id, zone_id=zone, **listed)
    client.rules.lists.items.create(made.id, account_id=account, body=[{"ip": "127.0.0.1"}])
    took["an address in a list is blocked"] = until(lambda: status("/") == 403)
    client.rules.lists.items.update(made.id, account_id=account, body=[])
    took["an address that left the list is let through"] = until(lambda: status("/") == 200)

    characteristics = ["cf.colo.id", "ip.src"]
    ratelimit = {"characteristics": characteristics, "period": 60, "requests_per_period": 3, "mitigation_timeout": 60}
    limit = {"action": "block", "expression": 'http.request.uri.path eq "/login"', "ratelimit": ratelimit}
    client.rulesets.phases.update(LIMITS, zone_id=zone, rules=[limit])
    took["a limit limits"] = until(lambda: status("/login") == 429)
    assert status("/") == 200
    return took


def until(is_so: Callable[[], bool]) -> float:
    """Seconds until it is so."""
    begun = time.perf_counter()
    while not is_so():
        if time.perf_counter() - begun > PATIENCE_SECONDS:
            raise TimeoutError
        time.sleep(0.01)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
