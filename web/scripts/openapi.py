"""Print the gateway's OpenAPI document without starting anything: the settings only have to be there."""

import json
import sys
from typing import Any

from services.api.app import create_app

PLACEHOLDERS = {
    "CLINAI_SECRET_KEY": "0" * 64,
    "CLINAI_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "CLINAI_NATS_URL": "nats://127.0.0.1:1",
    "CLINAI_STORAGE_ENDPOINT": "http://127.0.0.1:1",
    "CLINAI_STORAGE_ACCESS_KEY": "nobody",
    "CLINAI_STORAGE_SECRET_KEY": "none",
}


def document() -> dict[str, Any]:
    """Return the document as a client would read it at /docs/openapi.json."""
    app: Any = create_app(PLACEHOLDERS)
    while not hasattr(app, "openapi_schema"):
        app = app._app
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    return schema


json.dump(document(), sys.stdout, default=str)
