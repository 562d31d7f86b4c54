"""The operator's account is there from the first start, with the password that passwords.txt tells."""

import httpx
import pytest

from tests.platforms import TestPlatform

pytestmark = pytest.mark.e2e


def test_the_operator_signs_in_as_passwords_txt_says(platform: TestPlatform) -> None:
    lines = (platform.data / "passwords.txt").read_text().splitlines()
    name, password = next(line.split()[1:] for line in lines if line.startswith("operator "))

    with httpx.Client(base_url=platform.url) as http:
        signed_in = http.post("/api/users/login", json={"username": name, "password": password})
        assert signed_in.status_code == 200, signed_in.text
        http.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
        assert http.get("/api/users/me").json()["role"] == "admin"
        assert http.get("/api/admin/users").status_code == 200
