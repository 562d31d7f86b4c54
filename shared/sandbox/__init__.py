"""The sandbox: a stranger's model code on one image, inside a container (design, section 9).

spec.py: what is asked and answered. session.py: the host's side. engine.py: containers. ends.py: which code an end has.
inside/: what runs in the container.
"""

from shared.sandbox.engine import remove_leftovers
from shared.sandbox.picture import smoke_png
from shared.sandbox.session import Session, open_session, run_once
from shared.sandbox.sniff import sniff_image
from shared.sandbox.spec import JobRequest, Outcome, OutputFile, SandboxSpec

__all__ = [
    "JobRequest",
    "Outcome",
    "OutputFile",
    "SandboxSpec",
    "Session",
    "open_session",
    "remove_leftovers",
    "run_once",
    "smoke_png",
    "sniff_image",
]
