"""One page of a listing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """The items of page number `page` (from 1) out of `total` items; beyond the last page there are none."""

    items: Sequence[Item]
    page: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; none for an empty listing."""
        return -(-self.total // self.per_page)

    @property
    def offset(self) -> int:
        """How many items come before this page."""
        return (self.page - 1) * self.per_page


def page_of(items: Sequence[Item], page: int, per_page: int) -> Page[Item]:
    """One page of a listing that is at hand as a whole."""
    return Page(items[(page - 1) * per_page : page * per_page], page, per_page, len(items))
