"""One Hoplon over HTTP: requests with a token, envelopes opened, refusals raised as the HoplonErrors that they were.

It knows no resource. Redirects are not followed and the environment's proxies and `.netrc` not used: the token goes to
the named server only.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx2
from pydantic import TypeAdapter, ValidationError

from hoplon.delivery.following import check_server
from hoplon.errors import HoplonError, Problem

TIMEOUT_SECONDS = 60.0
CONNECT_SECONDS = 10.0
PER_PAGE = 50
_ID_HEADER = "hoplon-request-id"
_ERROR_HEADER = "hoplon-error"
_HINT_HEADER = "hoplon-hint"
_MESSAGE_HEADER = "hoplon-message"


@dataclass(frozen=True, slots=True)
class Reply:
    """A success: its result (None where there is none), what it says about paging, its content, its ETag's version, and
    what else it has to say."""

    result: Any
    info: Mapping[str, Any]
    content: bytes
    version: int | None
    messages: Sequence[Mapping[str, Any]] = ()


class Connection:
    """Connections to one server, kept open while they are used. Use it as a context manager, or call `close`."""

    def __init__(self, server: str, token: str, ca_file: str | None = None, *, is_plain_allowed: bool = False) -> None:
        check_server(server, is_plain_allowed)
        self._server = server.rstrip("/")
        self._client = httpx2.Client(
            base_url=self._server,
            headers={"authorization": f"Bearer {token}", "user-agent": "hoplon"},
            timeout=httpx2.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            verify=_verified_by(ca_file),
            trust_env=False,
        )

    def close(self) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content: bytes | None = None,
        media_type: str | None = None,
        if_match: int | None = None,
    ) -> Reply:
        """One request. `body` goes as JSON, `content` as `media_type`; None in `query` is left out.

        Raises what the server raised, by its stable code, and `server.*` when there was no answer of a Hoplon.
        """
        headers = {"content-type": media_type} if media_type is not None else {}
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        try:
            response = self._client.request(
                method,
                path,
                params={name: value for name, value in (query or {}).items() if value is not None},
                json=body,
                content=content,
                headers=headers,
            )
        except httpx2.TransportError as error:
            raise self._away(error) from error
        return self._reply(response)

    def pages(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """Every item of a paged listing."""
        page = 1
        while True:
            reply = self.ask("GET", path, query={**(query or {}), "page": page, "per_page": PER_PAGE})
            yield from reply.result
            if page >= reply.info.get("total_pages", page) or not reply.result:
                return
            page += 1

    def read(self, form: Any, document: Any) -> Any:
        """`document` as a value of `form` (a dataclass, or a type of them). Raises `server.other_version`."""
        try:
            return TypeAdapter(form).validate_python(document)
        except ValidationError as error:
            message = f"{self._server} answers in a form that this version does not know ({error.error_count()} places)"
            raise HoplonError("server.other_version", message, "use the same version on both sides") from error

    def _reply(self, response: httpx2.Response) -> Reply:
        media_type = response.headers.get("content-type", "").partition(";")[0]
        if response.is_success and media_type != "application/json" and _ID_HEADER in response.headers:
            return Reply(None, {}, response.content, _version(response))
        envelope = self._envelope(response)
        if not response.is_success:
            raise _refusal(response, envelope, self._server)
        info, messages = envelope.get("result_info") or {}, envelope.get("messages") or ()
        return Reply(envelope.get("result"), info, response.content, _version(response), messages)

    def _envelope(self, response: httpx2.Response) -> dict[str, Any]:
        """The document in the envelope that every answer of a Hoplon has."""
        try:
            document = response.json()
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict) and isinstance(document.get("success"), bool):
            return document
        message = f"{self._server} answers {response.status_code}, but not as a Hoplon"
        raise HoplonError("server.not_hoplon", message, "is it the admin address of a Hoplon?")

    def _away(self, error: httpx2.TransportError) -> HoplonError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                hint = "--server-ca FILE names the authority that signed it"
                return HoplonError("server.certificate", f"{self._server}: {cause.verify_message}", hint)
            if isinstance(cause, ssl.SSLError):
                return HoplonError("server.tls", f"{self._server}: TLS failed ({cause.reason})", "does it speak TLS?")
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
            message = f"{self._server} has not answered in {TIMEOUT_SECONDS:g} s; what was asked may have happened"
            return HoplonError("server.silent", message, "look at what is there before you try again")
        what = "is down, or the connection broke"
        return HoplonError(
            "server.away", f"{self._server} {what}: {str(error) or type(error).__name__}", "is it running?"
        )


def _verified_by(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        message = f"{ca_file} holds no certificate that can be used: {error.strerror or error}"
        raise HoplonError("server.certificate", message, "--server-ca names a PEM file") from None


def _version(response: httpx2.Response) -> int | None:
    tag = response.headers.get("etag", "").strip('"')
    return int(tag) if tag.isascii() and tag.isdigit() else None


def _refusal(response: httpx2.Response, envelope: Mapping[str, Any], server: str) -> HoplonError:
    """The error that the server raised, as far as it said."""
    code = response.headers.get(_ERROR_HEADER, "server.refused")
    errors = [each for each in envelope.get("errors") or () if isinstance(each, dict)]
    messages = [str(each.get("message", "")) for each in errors] or [f"status {response.status_code}"]
    pointers = [str((each.get("source") or {}).get("pointer", "")) for each in errors]
    hint = unquote(response.headers.get(_HINT_HEADER, "")) or None
    if len(messages) == 1 and not any(pointers):
        message = messages[0].removesuffix(f": {hint}") if hint else messages[0]
        return HoplonError(code, message, _HINTS.get(code, hint))
    problems = tuple(Problem(_dotted(pointer), text) for pointer, text in zip(pointers, messages, strict=True))
    message = unquote(response.headers.get(_MESSAGE_HEADER, "")) or f"{server} refuses it; nothing was changed"
    return HoplonError(code, message, _HINTS.get(code, hint), problems)


def _dotted(pointer: str) -> str:
    """A JSON pointer (`/operations/3/host`) as problems write it: `operations[3].host`."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    return "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps).removeprefix(".")


_HINTS: Mapping[str, str] = {
    "auth.missing": "--token-file FILE or HOPLON_TOKEN says it",
    "auth.invalid": "--token-file FILE or HOPLON_TOKEN says another; `hoplon token create` there makes one",
    "auth.forbidden": "it needs a token with another permission: `hoplon token create` there makes one",
}
