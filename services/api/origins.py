"""Where the client sees object storage: the origin that presigned URLs must carry (design, section 6)."""

import re
from collections.abc import Mapping
from typing import Any

from litestar import Request

from services.api.context import User
from services.api.injected import OpenContext, SignedIn
from shared.errors import Invalid

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


def storage_origin(
    headers: Mapping[str, str], *, scheme: str, from_edge: bool, public_url: str, public_port: int
) -> str:
    """Return `scheme://host:port` of storage for whoever sent `headers` (names in lower case).

    The public setting wins. Without it the host is the one the request came to, so that a phone on the same network
    gets an address it can reach; what proxies add is believed only when the request came through the edge. The port
    is the edge's for storage, never the API's. Raises Invalid for a Host that is no host name.
    """
    if public_url:
        return public_url.rstrip("/")
    host = headers.get("host", "")
    if from_edge:
        host = _first(headers.get("x-forwarded-host", "")) or host
        scheme = _first(headers.get("x-forwarded-proto", "")) or scheme
    name = _name(host)
    if scheme not in ("http", "https") or not _HOST.fullmatch(name):
        raise Invalid(f"Host: {host[:100]!r} is no host name; set CLINAI_STORAGE_PUBLIC_URL if a proxy changes it")
    default_port = 443 if scheme == "https" else 80
    return f"{scheme}://{name}" + ("" if public_port == default_port else f":{public_port}")


def _first(value: str) -> str:
    """The client's side of a list that each proxy has added to."""
    return value.split(",", 1)[0].strip()


def _name(host: str) -> str:
    """The host without its port; brackets of an IPv6 address stay."""
    if host.startswith("[") and "]" in host:
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def provide_origin(request: Request[User, Any, Any], context: OpenContext, user: SignedIn) -> str:
    """Dependency `origin`: where the client of this request sees storage.

    `user` is asked for so that dependencies come one after another, as in `app.py`.
    """
    return storage_origin(
        request.headers,
        scheme=request.scope["scheme"],
        from_edge=bool(request.scope["state"].get("from_edge")),
        public_url=context.storage_settings.public_url,
        public_port=context.storage_settings.public_port,
    )
