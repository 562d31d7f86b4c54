"""The operator's routes: the role of the database decides, not the one a token carries."""

import jwt
import pytest

from shared.db import Pool
from tests.integration.api.conftest import SignUp, problem
from tests.platforms import TestPlatform

pytestmark = pytest.mark.integration


async def test_a_token_does_not_raise_its_own_role(sign_up: SignUp, parts: TestPlatform, pool: Pool) -> None:
    person = await sign_up()
    key = parts.env["CLINAI_SECRET_KEY"]
    claims = jwt.decode(person.tokens["access_token"], key, algorithms=["HS256"], issuer="clinai")
    person.headers["Authorization"] = f"Bearer {jwt.encode({**claims, 'role': 'admin'}, key, algorithm='HS256')}"
    problem(await person.get("/api/admin/users"), 403, "FORBIDDEN")
    await pool.execute("UPDATE users SET role = 'admin' WHERE username = $1", person.username)
    assert (await person.get("/api/admin/users")).status_code == 200
    await pool.execute("UPDATE users SET role = 'user' WHERE username = $1", person.username)
    problem(await person.get("/api/admin/users"), 403, "FORBIDDEN")
