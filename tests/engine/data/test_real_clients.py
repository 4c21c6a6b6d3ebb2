"""What clients that others have published need: links to pages in the body, and fields under other names."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.live import Write
from tests.stateful import Client, stateful

SHOPS = """
openapi: 3.0.1
info: {title: Shops, version: '1'}
paths:
  /Shops:
    get:
      parameters:
        - {name: PageSize, in: query, schema: {type: integer, maximum: 50}}
        - {name: Page, in: query, schema: {type: integer}}
        - {name: PageToken, in: query, schema: {type: string}}
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                type: object
                properties:
                  shops: {type: array, items: {$ref: '#/components/schemas/Shop'}}
                  meta:
                    type: object
                    properties:
                      key: {type: string}
                      page_size: {type: integer}
                      url: {type: string, format: uri}
                      first_page_url: {type: string, format: uri}
                      next_page_url: {type: string, format: uri, nullable: true}
                      previous_page_url: {type: string, format: uri}
              example: {shops: [], meta: {key: shops, page_size: 9, next_page_url: null, url: 'https://a.test/',
                first_page_url: 'https://a.test/', previous_page_url: 'https://a.test/'}}
    post:
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [FriendlyName]
              properties: {FriendlyName: {type: string}, IsOpen: {type: boolean}}
      responses: {'201': &shop {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Shop'}}}}}
  /Shops/{Sid}:
    parameters: [{name: Sid, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': *shop, '404': {description: none}}}
    put:
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {FriendlyName: {type: string}, IsOpen: {type: boolean}}}
      responses: {'200': *shop, '404': {description: none}}
  /Shops/{ShopSid}/Phones:
    parameters: [{name: ShopSid, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': {description: ok, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Phone'}}}}}}}
    post:
      requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object, properties: {Number: {type: string}}}}}}
      responses: {'201': &phone {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Phone'}}}}}
  /Shops/{ShopSid}/Phones/{Sid}:
    parameters:
      - {name: ShopSid, in: path, required: true, schema: {type: string}}
      - {name: Sid, in: path, required: true, schema: {type: string}}
    get: {responses: {'200': *phone, '404': {description: none}}}
components:
  schemas:
    Shop: {type: object, required: [sid], properties: {sid: {type: string}, friendly_name: {type: string}, is_open: {type: boolean, nullable: true}}}
    Phone: {type: object, required: [sid, shop_sid], properties: {sid: {type: string}, shop_sid: {type: string}, number: {type: string}}}
"""  # noqa: E501
_FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def shops(write: Write) -> Iterator[Client]:
    with stateful(write("shops.yaml", SHOPS)) as client:
        yield client


def test_request_fields_in_another_case_are_the_fields_of_the_item(shops: Client) -> None:
    made = shops("POST", "/Shops", b"FriendlyName=Orders&IsOpen=true", content_type=_FORM).json()
    assert (made["friendly_name"], made["is_open"]) == ("Orders", True)
    assert shops("GET", f"/Shops/{made['sid']}").json() == made
    changed = shops("PUT", f"/Shops/{made['sid']}", b"FriendlyName=Returns", content_type=_FORM).json()
    assert (changed["sid"], changed["friendly_name"]) == (made["sid"], "Returns")
    assert changed.get("is_open") is not True  # what a replacement can name, and does not, is gone


def test_links_in_the_body_lead_through_all_pages(shops: Client) -> None:
    made = [shops("POST", "/Shops", b"FriendlyName=a", content_type=_FORM).json()["sid"] for _ in range(5)]
    target, seen, pages = "/Shops?PageSize=2", [], []
    while target:
        page = shops("GET", target).json()
        assert page["meta"]["page_size"] == 2
        assert page["meta"]["key"] == "shops"  # from the example: nothing else says what belongs there
        assert urlsplit(page["meta"]["url"])._replace(scheme="", netloc="").geturl() == target
        seen += [shop["sid"] for shop in page["shops"]]
        pages.append(page["meta"])
        following = page["meta"]["next_page_url"]
        target = urlsplit(following)._replace(scheme="", netloc="").geturl() if following else ""
    assert seen == made
    assert len(pages) == 3
    assert "previous_page_url" not in pages[0]  # the schema permits no null
    assert pages[1]["previous_page_url"] == pages[0]["first_page_url"]


def test_a_nested_item_names_the_parent_in_its_path_and_not_the_first_that_exists(shops: Client) -> None:
    first, second = (
        shops("POST", "/Shops", b"FriendlyName=a", content_type=_FORM).json()["sid"] for _ in range(2)
    )
    for sid in (second, first):
        phone = shops("POST", f"/Shops/{sid}/Phones", b"Number=1", content_type=_FORM).json()
        assert phone["shop_sid"] == sid
        assert shops("GET", f"/Shops/{sid}/Phones").json() == [phone]
