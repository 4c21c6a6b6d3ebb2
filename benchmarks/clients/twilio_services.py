"""Messaging services with Twilio's own client: ``twilio_services.py URL``."""

import sys
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client


class _Mocked(TwilioHttpClient):
    """Sends the requests for Twilio's hosts to one server."""

    def __init__(self, server: str) -> None:
        super().__init__(pool_connections=True)
        self._server = urlsplit(server)

    def request(self, method, uri, *arguments, **options):
        mocked = urlsplit(uri)._replace(scheme=self._server.scheme, netloc=self._server.netloc)
        return super().request(method, urlunsplit(mocked), *arguments, **options)


def main(server: str) -> None:
    """Create, fetch, update, list and delete services, and what is nested in them."""
    account = "AC" + "0" * 32
    services = Client(account, "token", http_client=_Mocked(server)).messaging.v1.services
    before = len(services.list())

    made = services.create("Orders", inbound_request_url="https://example.com/in", sticky_sender=True)
    assert made.sid.startswith("MG"), made.sid
    assert (made.friendly_name, made.inbound_request_url) == ("Orders", "https://example.com/in")
    assert made.sticky_sender is True
    read = services(made.sid).fetch()
    assert (read.sid, read.friendly_name, read.sticky_sender) == (made.sid, "Orders", True)
    assert read.date_created is not None, "the client could not read the time"
    assert read.date_created == made.date_created

    changed = read.update(friendly_name="Returns")
    assert (changed.sid, changed.friendly_name) == (made.sid, "Returns")
    assert changed.inbound_request_url == "https://example.com/in", "an update keeps what it does not name"
    assert services(made.sid).fetch().friendly_name == "Returns"

    others = [services.create(f"Shop {number}").sid for number in range(7)]
    assert len({made.sid, *others}) == 8, "keys are not unique"
    listed = services.list(page_size=3)  # the client follows the links to further pages
    assert len(listed) == before + 8, len(listed)
    assert {each.sid for each in listed} >= {made.sid, *others}
    assert len(services.list(limit=5, page_size=2)) == 5

    number = made.phone_numbers.create(phone_number_sid="PN" + "a" * 32)
    assert [each.sid for each in made.phone_numbers.list()] == [number.sid]
    assert number.service_sid == made.sid, (number.service_sid, made.sid)
    assert services(others[0]).phone_numbers.list() == [], "the numbers of another service"

    assert services(made.sid).delete() is True
    for gone in (services(made.sid), services(made.sid).phone_numbers(number.sid)):
        assert _status_of(gone.fetch) == 404, "what was deleted is still there"
    assert len(services.list()) == before + 7


def _status_of(call: Callable[[], object]) -> int:
    """The status of the error that a call raises; 0 where it raises none."""
    try:
        call()
    except TwilioRestException as error:
        return error.status
    return 0


if __name__ == "__main__":
    main(sys.argv[1])
