from __future__ import annotations

import re
from itertools import permutations
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.engine.routing import Found, Router


def router(*templates: str, bases: tuple[str, ...] = ("",)) -> Router[str]:
    """Templates are ``/path``, or ``METHOD /path``; each is its own target."""
    routes = []
    for each in templates:
        method, _, path = each.rpartition(" ")
        routes.append((method or "GET", path, path))
    return Router(routes, bases)


PETS = router(
    "/",
    "/pets",
    "/pets/mine",
    "/pets/{id}",
    "POST /pets",
    "PUT /pets/{id}",
    "/pets/{id}/photos/{photo}",
    "/pets/mine/photos",
    "/files/{name}.json",
    "/files/{name}.{ext}",
    "/files/{name}",
    "/a-{x}.{y}.z",
    "/caf%C3%A9/{id}",
    "/menü",
    "/v/{a}/x",
    "/v/{b}/y",
    "/v/{c}",
    "/slash/",
)


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/", "/", {}),
        ("/pets", "/pets", {}),
        ("/pets/mine", "/pets/mine", {}),
        ("/pets/%6dine", "/pets/mine", {}),
        ("/pets/7", "/pets/{id}", {"id": "7"}),
        ("/pets/a%2Fb", "/pets/{id}", {"id": "a%2Fb"}),
        ("/pets/%zz", "/pets/{id}", {"id": "%zz"}),
        ("/pets/%ff", "/pets/{id}", {"id": "%ff"}),
        ("/pets/..", "/pets/{id}", {"id": ".."}),
        ("/pets/mine/photos/3", "/pets/{id}/photos/{photo}", {"id": "mine", "photo": "3"}),
        ("/pets/mine/photos", "/pets/mine/photos", {}),
        ("/files/a.json", "/files/{name}.json", {"name": "a"}),
        ("/files/a.b.json", "/files/{name}.json", {"name": "a.b"}),
        ("/files/a.jsonZZ", "/files/{name}.{ext}", {"name": "a", "ext": "jsonZZ"}),
        ("/files/a", "/files/{name}", {"name": "a"}),
        ("/files/.json", "/files/{name}", {"name": ".json"}),
        ("/a-1.2.z", "/a-{x}.{y}.z", {"x": "1", "y": "2"}),
        ("/caf%C3%A9/1", "/caf%C3%A9/{id}", {"id": "1"}),
        ("/caf%c3%a9/1", "/caf%C3%A9/{id}", {"id": "1"}),
        ("/men%C3%BC", "/menü", {}),
        ("/v/1/x", "/v/{a}/x", {"a": "1"}),
        ("/v/1/y", "/v/{b}/y", {"b": "1"}),
        ("/v/1", "/v/{c}", {"c": "1"}),
        ("/slash/", "/slash/", {}),
    ],
)
def test_a_path_matches_its_template(path: str, template: str, parameters: dict[str, str]) -> None:
    assert PETS.find("GET", path) == Found(template, parameters)


@pytest.mark.parametrize("templates", [*permutations(("/{a}", "/{a}.json", "/{a}.{b}", "/x{a}.json"))])
def test_templates_in_any_order_the_most_literal_one_that_fits_is_taken(templates: tuple[str, ...]) -> None:
    made = Router([("GET", template, template) for template in templates], ("",))
    found = [made.find("GET", path) for path in ("/xy.json", "/y.json", "/y.yaml", "/y")]
    assert [each and each.target for each in found] == ["/x{a}.json", "/{a}.json", "/{a}.{b}", "/{a}"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "pets",
        "//pets",
        "/pets/",
        "/pets//photos/1",
        "/Pets",
        "/pets/1/photos",
        "/pets/1/photos/",
        "/pets/1/photos/2/3",
        "/a-.2.z",
        "/slash",
        "/caf%C3/1",
        "/pets%2Fmine",
    ],
)
def test_a_path_without_a_template_is_not_found(path: str) -> None:
    assert PETS.find("GET", path) is None


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/pets", {"GET", "POST"}),
        ("DELETE", "/pets/1", {"GET", "PUT"}),
        ("PATCH", "/pets/mine", {"GET", "PUT"}),
        ("HEAD", "/", {"GET"}),
    ],
)
def test_the_methods_of_every_template_that_matches_are_allowed(
    method: str, path: str, allowed: set[str]
) -> None:
    found = PETS.find(method, path)
    assert found is not None
    assert found.target is None
    assert set(found.allowed) == allowed
    assert len(found.allowed) == len(allowed)


def test_a_less_specific_template_answers_the_method_that_the_more_specific_lacks() -> None:
    assert PETS.find("PUT", "/pets/mine") == Found("/pets/{id}", {"id": "mine"})


BASED = router("/pets/{id}", "/v1", "POST /only", bases=("/api", "/api/v1", ""))


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/pets/1", "/pets/{id}"),
        ("/api/pets/1", "/pets/{id}"),
        ("/api/v1/pets/1", "/pets/{id}"),
        ("/api/v1", "/v1"),
        ("/v1", "/v1"),
    ],
)
def test_a_path_under_any_base_path_matches(path: str, template: str) -> None:
    found = BASED.find("GET", path)
    assert found is not None
    assert found.target == template


@pytest.mark.parametrize("path", ["/apipets/1", "/api/v2/pets/1", "/api", "/api/api/pets/1"])
def test_a_path_under_no_base_path_is_not_found(path: str) -> None:
    assert BASED.find("GET", path) is None


def test_a_path_without_the_base_path_is_not_found() -> None:
    only = router("/pets", bases=("/api",))
    assert only.find("GET", "/api/pets") == Found("/pets", {})
    assert only.find("GET", "/pets") is None


def test_allowed_methods_under_a_base_path() -> None:
    found = BASED.find("GET", "/api/v1/only")
    assert found == Found(None, {}, ("POST",))


def test_the_nearest_templates_come_first() -> None:
    assert PETS.nearby("/pet")[0] == ("GET", "/pets")
    assert ("GET", "/pets/{id}/photos/{photo}") in PETS.nearby("/pets/1/photo/1", max_count=3)
    assert len(PETS.nearby("/x", max_count=2)) == 2


def test_nearness_to_a_path_beyond_measure_is_told_by_its_beginning() -> None:
    many = router(*(f"/{'x' * 60}/{number}" for number in range(1000)))
    assert len(many.nearby("/" + "y" * 16_000)) == 5


# Against a matcher that tries every template

SEGMENTS = st.sampled_from(["a", "b", "ab", "{}", "a{}", "{}b", "a{}b", "{}-{}"])


def shaped(segments: list[str]) -> str:
    """A template whose parameters have names of their own."""
    count = 0
    path = ""
    for segment in segments:
        path += "/"
        for part in re.split(r"(\{\})", segment):
            path += f"{{p{count}}}" if part == "{}" else part
            count += part == "{}"
    return path


TEMPLATES = st.lists(
    st.tuples(st.sampled_from(["GET", "POST"]), st.lists(SEGMENTS, min_size=1, max_size=3).map(shaped)),
    max_size=8,
    unique=True,
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "axb", "c", "x-y", "%61", "a%2Fb", "", "é"]), max_size=4)


def naive(template: str, path: str) -> dict[str, str] | None:
    """The parameters of a template that matches, segment by segment."""
    mine, theirs = template.split("/"), path.split("/")
    if len(mine) != len(theirs):
        return None
    parameters: dict[str, str] = {}
    for pattern, segment in zip(mine, theirs, strict=True):
        names = re.findall(r"\{(\w+)\}", pattern)
        if not names:
            if pattern != segment.replace("%61", "a"):
                return None
            continue
        parts = [re.escape(part) for part in re.split(r"\{\w+\}", pattern)]
        found = re.fullmatch("(.+?)".join(parts), segment)
        if found is None:
            return None
        parameters |= dict(zip(names, found.groups(), strict=True))
    return parameters


def rank(template: str) -> list[tuple[int, int]]:
    """Of two templates that match a path, the one whose first different segment says more."""
    ranks = []
    for segment in template.split("/")[1:]:
        count = len(re.findall(r"\{\w+\}", segment))
        literal = len(re.sub(r"\{\w+\}", "", segment))
        ranks.append((0, 0) if not count else (1, -literal))
    return ranks


@given(TEMPLATES, PATHS, st.sampled_from(["GET", "POST", "PUT"]))
def test_the_index_finds_what_trying_every_template_finds(
    templates: list[tuple[str, str]], path: list[str], method: str
) -> None:
    made = Router([(verb, template, template) for verb, template in templates])
    raw = "/" + "/".join(path)
    matching = {template: naive(template, raw) for _, template in templates}
    hits = [template for verb, template in templates if verb == method and matching[template] is not None]
    found = made.find(method, raw)
    if hits:
        assert found is not None
        assert found.target in hits
        assert found.parameters == matching[found.target]
        assert rank(found.target) == min(map(rank, hits))
    else:
        allowed = {verb for verb, template in templates if matching[template] is not None}
        assert (set(found.allowed) if found is not None else set()) == allowed
        assert found is None or found.target is None


@pytest.mark.parametrize("template", ["/{a}-{b}.json", "/{a}{b}{c}{d}!", "/x{a}-{b}-{c}-{d}-{e}-"])
def test_a_long_segment_is_matched_to_its_end(template: str) -> None:
    """Each octet is looked at a few times; an expression that goes back would be at this for hours."""
    found = router(template)
    assert found.find("GET", "/x" + "-" * 200_000 + "?") is None
    hit = found.find("GET", re.sub(r"\{.\}", "-", template))
    assert hit is not None
    assert set(hit.parameters.values()) == {"-"}


@given(st.text(min_size=1).filter(lambda text: text.isascii() or text.isprintable()))
def test_any_text_is_found_again_percent_encoded(text: str) -> None:
    made = router("/x/{id}")
    encoded = quote(text, safe="")
    assert made.find("GET", f"/x/{encoded}") == Found("/x/{id}", {"id": encoded})


@given(st.text(alphabet="/ab{}%.-é", max_size=20), st.sampled_from(["GET", "POST"]))
def test_any_path_and_method_has_a_result(path: str, method: str) -> None:
    found = PETS.find(method, path)
    assert found is None or found.target is not None or found.allowed


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        ("/pets", True),
        ("/p%65ts", True),
        ("/pets/7/photos", True),
        ("/pets/mine/photos", True),
        ("/pets/7/photos/3", False),
        ("/menü", False),
        ("/v/1", True),
        ("/v/1/x", False),
        ("/unknown", False),
        ("", True),
    ],
)
def test_parent_of_a_path_that_a_template_may_match_has_paths_below(parent: str, expected: bool) -> None:
    assert PETS.has_below(parent) is expected


def test_base_path_counts_for_what_is_below() -> None:
    assert BASED.has_below("/api/v1")
    assert not BASED.has_below("/apis")
