"""`python -m services.notifier`: pushes each event to the browsers and clients that may see it."""

import resource

import prometheus_client
import uvloop

from services.notifier.app import run
from shared import settings
from shared.collector import leave_alone_what_is_loaded
from shared.logging import configure_logging
from shared.settings import load


def main() -> None:
    """Run until SIGTERM."""
    instance = load(settings.Instance)
    configure_logging("notifier", instance)
    if instance.metrics_port:
        prometheus_client.start_http_server(instance.metrics_port, addr="127.0.0.1")
    # a socket is an open file, and the usual limit is a thousand
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    leave_alone_what_is_loaded()
    uvloop.run(run(instance))


if __name__ == "__main__":
    main()
