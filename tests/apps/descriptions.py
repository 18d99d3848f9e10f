"""An application's own description (Swagger 2.0 or OpenAPI 3) as a list of operations, and which one a request is.

Pure. A template's variables stand for one segment, but for those in `spanning`, which may hold slashes
(Jupyter's `{path}`), as no description can say.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and a path template, such as `GET /buckets/{id}`."""

    method: str
    template: str


class Description:
    """The operations an application says it has, plus those named by hand that it does not describe."""

    def __init__(
        self,
        operations: Iterable[Operation],
        undescribed: Iterable[Operation] = (),
        spanning: frozenset[str] = frozenset(),
    ) -> None:
        self.described = frozenset(operations)
        self.undescribed = frozenset(undescribed) - self.described
        everything = sorted(self.described | self.undescribed, key=_specific_first)
        self._patterns = [(operation, _pattern(operation.template, spanning)) for operation in everything]

    def operation_of(self, method: str, target: str) -> Operation | None:
        """The operation of a request, with literals before variables; HEAD belongs to GET when nothing else fits."""
        path = target.partition("?")[0]
        for wanted in (method, "GET") if method == "HEAD" else (method,):
            for operation, pattern in self._patterns:
                if operation.method == wanted and pattern.fullmatch(path):
                    return operation
        return None


Fit = Literal["same", "narrower", "wider", "unknown"]


def fit(description: Description, method: str, template: str) -> tuple[Fit, Operation | None]:
    """How a seen operation stands to the described ones, and to which.

    `same` names the same requests; `narrower` has a literal where the description has a variable (its requests are
    described, only not all of them seen); `wider` has a variable where the description tells literals apart.
    """
    operation = description.operation_of(method, re.sub(r"\{[^}]*\}", "any-value", template))
    if operation:
        return ("same" if _shape(operation.template) == _shape(template) else "narrower"), operation
    pattern = _pattern(template, frozenset())
    for candidate in description.described | description.undescribed:
        if candidate.method == method and pattern.fullmatch(candidate.template):
            return "wider", candidate
    return "unknown", None


def operations_of(document: Mapping[str, Any], prefix: str = "") -> list[Operation]:
    """The operations of a Swagger 2.0 or OpenAPI 3 document, with Swagger's base path, or a given one, in front."""
    base = prefix or document.get("basePath", "").rstrip("/")
    return [
        Operation(method.upper(), base + path)
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    ]


def _specific_first(operation: Operation) -> tuple[int, list[tuple[bool, str]]]:
    segments = operation.template.split("/")
    return -len(segments), [("{" in segment, segment) for segment in segments]


def _pattern(template: str, spanning: frozenset[str]) -> re.Pattern[str]:
    parts = re.split(r"\{([^}]*)\}", template.rstrip("/"))
    text = "".join(
        (".*" if part in spanning else "[^/]+") if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return re.compile(text + "/?")


def _shape(template: str) -> list[str]:
    return ["{}" if segment.startswith("{") else segment for segment in template.rstrip("/").split("/")]
