"""Session identifiers at work: what the policy names is the session of the records that the gateway writes."""

from support.installation import Installation, apply, policy
from support.upstream import Upstream

IDENTITY = '\n[identity]\nidentifiers = [{ type = "cookie", name = "sid" }, { type = "header", name = "X-User" }]\n'


def test_records_tell_sessions_apart_as_the_policy_says(own_up: Installation, api: Upstream) -> None:
    assert apply(own_up.state, policy(api.url) + IDENTITY).returncode == 0
    client = own_up.client()

    def session(**headers: str) -> tuple[object, object]:
        record = own_up.record(client.send("GET", "/", **{"authorization": "Bearer 1", **headers}).id)
        return record["session"], record["session_source"]

    cookie, again = session(cookie="theme=dark; sid=42"), session(cookie="sid=42", **{"x-user": "ann"})
    user, nobody = session(**{"x-user": "42"}), session()
    assert cookie == again
    assert [cookie[1], user[1], nobody[1]] == ["identifier", "identifier", "authorization"]
    assert len({cookie[0], user[0], nobody[0]}) == 3
