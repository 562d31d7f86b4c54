"""Named points between two steps where a test may have this process killed, as a power cut would.

Costs one look into the environment when CLINAI_CRASH_DIR is not set. A test sets it for a platform of its own and
puts an empty file named like the point there; whoever gets to the point first takes the file away and dies.
"""

import os
import signal
from pathlib import Path


def crashpoint(name: str) -> None:
    """Die here by SIGKILL if a test asks for it, once."""
    folder = os.environ.get("CLINAI_CRASH_DIR")
    if not folder:
        return
    try:
        (Path(folder) / name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
