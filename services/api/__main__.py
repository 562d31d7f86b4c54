"""`python -m services.api`: the gateway on loopback, until SIGTERM."""

import errno
import signal
import socket
import sys

import uvicorn

from services.api.app import create_app
from services.api.gateway import Listen
from shared import settings
from shared.collector import leave_alone_what_is_loaded
from shared.logging import configure_logging
from shared.settings import load

KEEP_ALIVE_S = 150
"""Longer than the edge keeps an idle connection (120 s): it must never send into one that we are closing."""


def bind(listen: Listen) -> socket.socket:
    """Bind the port; raises SystemExit naming the setting that moves it."""
    try:
        listener = socket.create_server((listen.host, listen.port), backlog=2048)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise SystemExit(f"port {listen.port} {reason}: set CLINAI_API_PORT to another one") from None
    # accepted sockets inherit it; without it an answer's body waits 40 ms for the acknowledgement of its head
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def main() -> None:
    """Serve until SIGTERM; requests under way are finished."""
    configure_logging("api", load(settings.Instance))
    app = create_app()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(load(settings.Work).stop_grace_s),
        )
    )
    listener = bind(load(Listen))
    leave_alone_what_is_loaded()
    # uvicorn raises the signal that stopped it once more when it has ended well; that must not look like a crash
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
