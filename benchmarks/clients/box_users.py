"""Users and their aliases with Box's own client: ``box_users.py URL``."""

import sys
from collections.abc import Callable

from box_sdk_gen import BoxAPIError, BoxClient, BoxDeveloperTokenAuth
from box_sdk_gen.networking.base_urls import BaseUrls


def main(server: str) -> None:
    """Create, get, update, list and delete users, and the aliases that are nested in them."""
    client = BoxClient(auth=BoxDeveloperTokenAuth(token="token"))
    client = client.with_custom_base_urls(BaseUrls(base_url=server, upload_url=server, oauth_2_url=server))
    users, aliases = client.users, client.email_aliases
    before = users.get_users().total_count

    made = users.create_user("Zed", login="zed@example.com", job_title="Porter", timezone="Africa/Bujumbura")
    assert made.id, "a user has a key"
    assert (made.name, made.login, made.job_title) == ("Zed", "zed@example.com", "Porter")
    read = users.get_user_by_id(made.id)
    assert (read.id, read.name, read.login) == (made.id, "Zed", "zed@example.com")
    assert read.created_at == made.created_at

    changed = users.update_user_by_id(made.id, name="Abe", login="abe@example.com")
    assert (changed.id, changed.name, changed.login) == (made.id, "Abe", "abe@example.com")
    assert users.get_user_by_id(made.id).name == "Abe"

    others = [users.create_user(f"User {number}").id for number in range(7)]
    assert len({made.id, *others}) == 8, "keys are not unique"
    found = []
    while len(found) < before + 8:
        page = users.get_users(limit=3, offset=len(found))
        assert page.total_count == before + 8, page.total_count
        assert 0 < len(page.entries) <= 3, len(page.entries)
        found += [each.id for each in page.entries]
    assert len(set(found)) == len(found)
    assert {*found} >= {made.id, *others}

    alias = aliases.create_user_email_alias(made.id, "zed@example.org")
    assert alias.email == "zed@example.org"
    assert [each.id for each in aliases.get_user_email_aliases(made.id).entries] == [alias.id]
    assert aliases.get_user_email_aliases(others[0]).entries == [], "the aliases of another user"
    aliases.delete_user_email_alias_by_id(made.id, alias.id)
    assert aliases.get_user_email_aliases(made.id).entries == []

    users.delete_user_by_id(made.id)
    assert _status_of(lambda: users.get_user_by_id(made.id)) == 404, "what was deleted is still there"
    assert users.get_users().total_count == before + 7


def _status_of(call: Callable[[], object]) -> int:
    """The status of the error that a call raises; 0 where it raises none."""
    try:
        call()
    except BoxAPIError as error:
        return error.response_info.status_code
    return 0


if __name__ == "__main__":
    main(sys.argv[1])
