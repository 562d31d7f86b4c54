"""Log lines are JSON whatever is in them."""

import json
import subprocess
import sys

from tests.platforms import ROOT

CODE = """
import logging, os, uuid, structlog
from shared import settings
from shared.logging import configure_logging
configure_logging("api", settings.Instance())
log = structlog.get_logger()
structlog.contextvars.bind_contextvars(trace="t1")
log.info("odd", name=os.fsdecode(b"\\xff.png"), number=2**70, id=uuid.UUID(int=1))
log.debug("not shown")
try:
    raise ValueError("why")
except ValueError as error:
    log.error("failed", exc_info=error)
logging.getLogger("library").warning("theirs %s", 1)
"""


def test_every_line_is_json_with_trace_level_and_time() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("odd", "info"),
        ("failed", "error"),
        ("theirs 1", "warning"),
    ]
    assert {(line["service"], line["trace"]) for line in lines} == {("api", "t1")}
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert lines[0]["number"] == 2**70
    assert "ValueError: why" in lines[1]["exception"]
