"""structlog set-up: JSON lines in files, coloured text on a terminal; one id followed through contextvars.

Bind what identifies the work once (`structlog.contextvars.bind_contextvars(job=…, trace=…)`); every line below
carries it. Lines of libraries (stdlib logging) pass through the same renderer. Our own go straight to stderr: through
the standard library a line of the gateway's would cost a tenth of the request that it tells of.
"""

import json
import logging
import sys
from typing import Any

import msgspec
import structlog

from shared.settings import Instance


def configure_logging(service: str, settings: Instance) -> None:
    """Send structlog's and the standard library's lines to stderr in the chosen format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    level = settings.log_level.upper()
    final: list[structlog.typing.Processor]
    if settings.log_format == "console":
        final = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    else:
        final = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("botocore", "aiobotocore", "nats", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def _to_json(event: Any, **options: Any) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=options["default"]).decode()
    except (TypeError, ValueError):  # a text that is no Unicode (a file's name), a number beyond 64 bits
        return json.dumps(event, **options)
