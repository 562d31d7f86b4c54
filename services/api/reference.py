"""The OpenAPI page at /docs: Swagger UI from the installed package, no script inline and nothing from elsewhere."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.params import FromPath

from shared.errors import NotFound

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CACHE = "public, max-age=86400"

PAGE = b"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ClinAI API</title>
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="reference"><noscript>The document itself: <a href="/docs/openapi.json">/docs/openapi.json</a></noscript></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
"""
START = b"""SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  operationsSorter: "alpha",
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""

DESCRIPTION = """\
Turn a ZIP with a `predict.py` into a running computer-vision service.

Sign in with `POST /api/users/login` and send `Authorization: Bearer <access_token>` with every other request (the
*Authorize* button does so here). Errors are problem documents (RFC 9457) whose `code` says what happened. A request's
id is in `X-Request-Id`; the log of every service carries it as `trace`.
"""


class SwaggerPage(OpenAPIRenderPlugin):
    """The page; it reads /docs/openapi.json itself."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page."""
        return PAGE


@cache
def asset(name: str) -> bytes:
    """Read a file of Swagger UI; the package is found without importing it, which would load a template engine."""
    if name == "start.js":
        return START
    spec = importlib.util.find_spec("swagger_ui")
    if spec is None or spec.origin is None:
        raise NotFound("swagger-ui-py is not installed; the document itself is at /docs/openapi.json.")
    return (Path(spec.origin).parent / "static" / name).read_bytes()


@get("/assets/{name:str}", operation_id="docs_asset", include_in_schema=False, sync_to_thread=True)
def get_asset(name: FromPath[str]) -> Response[bytes]:
    """Serve one of the page's own files."""
    media_type = "text/javascript; charset=utf-8" if name == "start.js" else ASSETS.get(name)
    if media_type is None:
        raise NotFound()
    return Response(asset(name), media_type=media_type, headers={"Cache-Control": CACHE})


def _secure(response: Response[Any]) -> Response[Any]:
    response.headers.setdefault("Content-Security-Policy", CSP)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def openapi_config(version: str) -> OpenAPIConfig:
    """The document and its page."""
    return OpenAPIConfig(
        title="ClinAI",
        version=version,
        description=DESCRIPTION,
        use_handler_docstrings=True,
        path="/docs",
        render_plugins=[SwaggerPage()],
        openapi_router=Router(
            "/docs", route_handlers=[get_asset], opt={"always": True}, include_in_schema=False, after_request=_secure
        ),
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
        ),
        security=[{"token": []}],
        tags=[
            Tag("users", "Accounts, tokens and signed-in devices"),
            Tag("models", "Models and who may see them"),
            Tag("versions", "Packages, their builds and logs"),
            Tag("predict", "An image in, the result out, in one call"),
            Tag("jobs", "Images through a model"),
            Tag("batches", "Many images through a version, in one request"),
            Tag("live", "Tickets for the WebSocket /ws"),
            Tag("health", "How the platform is"),
            Tag("admin", "For operators"),
        ],
    )
