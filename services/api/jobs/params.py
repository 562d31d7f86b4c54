"""The `params` of a job, a prediction or a batch: their size, and what the database says of a row with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import msgspec

from services.api.jobs.schemas import PARAMS_BYTES_MAX
from services.api.versions.service import MISSING as VERSION_MISSING
from shared.errors import Invalid, NotFound


def encode_params(params: dict[str, Any]) -> bytes:
    """Return params as JSON, the same bytes for the same params; raises Invalid when they are too large."""
    raw = msgspec.json.encode(params, order="deterministic")
    if len(raw) > PARAMS_BYTES_MAX:
        raise Invalid(f"params: {len(raw)} bytes as JSON; the limit is {PARAMS_BYTES_MAX} bytes")
    return raw


@contextmanager
def row_faults() -> Iterator[None]:
    """Say what the database finds wrong with a new row in words of the request; raises Invalid, NotFound."""
    try:
        yield
    except asyncpg.UntranslatableCharacterError:
        raise Invalid("params: a text in it has a NUL character, which cannot be kept; leave it out") from None
    except asyncpg.ForeignKeyViolationError:
        raise NotFound(VERSION_MISSING) from None  # deleted in between
