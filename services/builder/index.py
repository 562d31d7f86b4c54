"""How a build container reaches the package index: settings as uv's environment, certificates, secrets masked."""

import os
import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog

from shared.errors import PlatformFault
from shared.settings import Index

log = structlog.get_logger()

FOLDER = "/build"
CA_FILE = f"{FOLDER}/ca.pem"
UV = {
    "UV_CACHE_DIR": f"{FOLDER}/cache",
    "UV_NO_CONFIG": "1",
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "HOME": FOLDER,
    "LANG": "C.UTF-8",
    "NO_COLOR": "1",
}
WHEELS = f"{FOLDER}/wheels"
NO_TORCH_BACKEND = "none"
"""Value of the setting that takes torch from the index like any other package."""
LOCAL = re.compile(r"^(file:|/|\.|~)")


class IndexAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What a container needs to resolve and install."""

    environment: dict[str, str]
    ca_bundle: bytes
    """PEM, put at CA_FILE; empty: what uv carries."""
    torch_backend: str
    secrets: tuple[str, ...]

    def masked(self, text: str) -> str:
        """Return `text` without the credentials of index and proxy."""
        for secret in self.secrets:
            text = text.replace(secret, "****")
        return text


OFFLINE = IndexAccess(environment=UV, ca_bundle=b"", torch_backend=NO_TORCH_BACKEND, secrets=())
"""For a container that is given the wheels it installs: it needs no index and learns no secret."""


def index_access(settings: Index) -> IndexAccess:
    """Turn the settings into what containers get. Raises SystemExit for one that cannot work, naming it."""
    environment = dict(UV)
    if settings.torch_backend != NO_TORCH_BACKEND:
        environment["UV_TORCH_BACKEND"] = settings.torch_backend
    for variable, field in {
        "UV_DEFAULT_INDEX": "index_url",
        "UV_INDEX": "extra_index_url",
        "UV_FIND_LINKS": "find_links",
        "HTTP_PROXY": "http_proxy",
        "HTTPS_PROXY": "https_proxy",
        "NO_PROXY": "no_proxy",
    }.items():
        if not (value := getattr(settings, field)):
            continue
        places = value.replace(",", " ").split() if field != "no_proxy" else []
        if local := next((place for place in places if LOCAL.match(place)), None):
            raise SystemExit(
                f"setting CLINAI_{field.upper()}: {local} is a path of this host, which a build container cannot "
                "reach; serve it over HTTP and name that address"
            )
        environment[variable] = " ".join(places) if places and variable != "UV_FIND_LINKS" else value
        if variable == "UV_FIND_LINKS":
            environment[variable] = ",".join(places)
        if variable.endswith("PROXY"):
            environment[variable.lower()] = value
    bundle = _ca_bundle(settings)
    if bundle:
        for variable in ("SSL_CERT_FILE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE"):
            environment[variable] = CA_FILE
    return IndexAccess(
        environment=environment,
        ca_bundle=bundle,
        torch_backend=settings.torch_backend,
        secrets=_secrets(environment),
    )


def _ca_bundle(settings: Index) -> bytes:
    """The bundle the operator named, else the one this host trusts (companies add theirs there)."""
    named = settings.ca_bundle or os.environ.get("SSL_CERT_FILE", "")
    path = Path(named or ssl.get_default_verify_paths().openssl_cafile)
    try:
        pem = path.read_bytes()
    except OSError as error:
        if named:
            raise PlatformFault(f"the CA bundle {named} cannot be read: {error.strerror}") from None
        return b""
    return pem


def _secrets(environment: dict[str, str]) -> tuple[str, ...]:
    found = set()
    for value in environment.values():
        for place in value.replace(",", " ").split():
            if "@" in place and (parts := urlsplit(place)).password:
                found.add(f"{parts.username}:{parts.password}")
                found.add(parts.password)
    return tuple(sorted(found, key=len, reverse=True))
