"""The OpenAPI document and its page, which must work without the rest of the internet."""

import re
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.integration

PUBLIC = {"register", "login", "refresh", "logout", "get_health"}


async def document(api: httpx.AsyncClient) -> dict[str, Any]:
    """The document."""
    answer = await api.get("/docs/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(found: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of every route."""
    return [(method, path, each) for path, item in found["paths"].items() for method, each in item.items()]


async def test_every_route_has_a_name_of_its_own_and_says_whether_it_needs_a_token(api: httpx.AsyncClient) -> None:
    found = await document(api)
    listed = operations(found)
    names = [operation["operationId"] for _, _, operation in listed]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names), names
    for method, path, operation in listed:
        secured = {"token": []} in operation.get("security", found["security"])
        assert secured == (operation["operationId"] not in PUBLIC - {"logout"}), f"{method} {path}"
        assert operation["summary"], f"{method} {path}"
        assert operation["tags"], f"{method} {path}"


async def test_every_route_but_the_public_ones_wants_a_token(api: httpx.AsyncClient) -> None:
    asked = 0
    for method, path, operation in operations(await document(api)):
        if operation["operationId"] in PUBLIC:
            continue
        concrete = re.sub(r"\{[^}]+\}", "00000000-0000-7000-8000-000000000000", path)
        answer = await api.request(method, concrete)
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
        asked += 1
    assert asked > 20


async def test_bodies_that_are_read_by_hand_are_described(api: httpx.AsyncClient) -> None:
    paths = (await document(api))["paths"]
    for name in ("register", "login", "refresh"):
        content = paths[f"/api/users/{name}"]["post"]["requestBody"]["content"]
        assert set(content) == {"application/json", "application/x-www-form-urlencoded"}


async def test_the_page_needs_nobody_else(api: httpx.AsyncClient) -> None:
    page = await api.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)", page.text), "an inline script would not pass the policy"
    links = re.findall(r'(?:src|href)="(/docs/assets/[^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        answer = await api.get(link)
        assert answer.status_code == 200, link
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.content) > 100
    assert "SwaggerUIBundle" in (await api.get("/docs/assets/swagger-ui-bundle.js")).text
    for name in ("..%2fswagger-ui.css", "absent.js", "%2fetc%2fpasswd"):
        assert (await api.get(f"/docs/assets/{name}")).status_code == 404
