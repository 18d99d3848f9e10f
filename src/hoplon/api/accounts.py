"""`/accounts`: the one account that an installation is."""

from typing import Literal

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_page, moment
from hoplon.api.query import DIRECTION, PAGING, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.page import Page
from hoplon.model.zone import Account
from hoplon.service.accounts import the_account


class AccountForm(TypedDict):
    """An account as Cloudflare writes it."""

    id: str
    name: str
    type: Literal["standard"]
    created_on: str


@described(
    "The accounts that the token sees: there is one.",
    query=(*PAGING, DIRECTION, Text("name", "Only the account of this name.")),
    result=list[AccountForm],
    is_paged=True,
)
def list_accounts(request: ApiRequest) -> Answer:
    account = the_account(request.workspace)
    page, per_page = request.query["page"], request.query["per_page"]
    found = (account,) if request.query["name"] in (None, account.name) else ()
    return answer_page(Page(found if page == 1 else (), page, per_page, len(found)), account_form)


@described("One account.", result=AccountForm)
def get_account(request: ApiRequest) -> Answer:
    account = the_account(request.workspace)
    if request.ids["account_id"] != account.id:
        raise HoplonError("account.unknown", "there is no such account", f"this installation's is {account.id}")
    return answer(account_form(account))


def account_form(account: Account) -> AccountForm:
    return {"id": account.id, "name": account.name, "type": "standard", "created_on": moment(account.created_at)}
