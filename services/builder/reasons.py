"""Turn uv's last words into one message that names the requirement and what to do."""

import re

from services.builder.container import Ended
from services.builder.index import FOLDER
from shared.codes import BuildCode
from shared.errors import BuildError

NO_WHEELS = ("building from source is disabled", "Building source distributions is disabled")
NEEDS_GIT = "Git executable not found"
NETWORK = (
    "error sending request",
    "client error (Connect)",
    "dns error",
    "Failed to fetch",
    "Could not resolve host",
    "tcp connect error",
    "operation timed out",
    "invalid peer certificate",
)
KEPT_LINES = 12
PACKAGE = f"{FOLDER}/package"
"""Where a build container has the package's files; its owner knows them by their path in the package."""


def needs_source_build(ended: Ended) -> bool:
    """Tell whether uv failed only because something has no wheel here."""
    text = "\n".join(ended.said)
    return any(sign in text for sign in (*NO_WHEELS, NEEDS_GIT))


def failure_of(ended: Ended, code: BuildCode, requirements: str, *, memory_bytes: int, disk_bytes: int) -> BuildError:
    """Make the error of a container that did not end well; `requirements` is the text of requirements.txt."""
    if ended.out_of_disk:
        return BuildError(
            BuildCode.BUILD_TOO_LARGE,
            f"the build wrote more than {disk_bytes} bytes; use fewer or smaller packages",
        )
    if ended.out_of_memory:
        return BuildError(code, f"the build needed more than its {memory_bytes} bytes of memory (limit of a build)")
    reason = distill(ended.said)
    where = blame(reason, requirements)
    hint = ""
    if any(sign in reason for sign in NETWORK):
        hint = " (the index or that host cannot be reached from a build; is the name right, and may builds go there?)"
    return BuildError(code, f"{where}{reason or f'uv ended with status {ended.status} and said nothing'}{hint}")


def distill(said: list[str]) -> str:
    """Keep the error and its causes; drop progress, tracebacks' frames and hints about uv's own options."""
    start = next((n for n, line in enumerate(said) if line.startswith("error:")), None)
    if start is None:
        lines = [line for line in said if line.strip()][-KEPT_LINES:]
        return "; ".join(line.strip() for line in lines)
    kept: list[str] = []
    for line in said[start:]:
        if line.startswith(("hint:", "[tool.uv", "or `uv")):
            break
        text = re.sub(r"^(error|cause):\s*", "", line.strip())
        if text and not text.startswith(("File ", "^", "[stderr]", "[stdout]", "--- std", "Traceback")):
            kept.append(text)
    if len(kept) > KEPT_LINES:
        kept = [*kept[:3], "…", *kept[-(KEPT_LINES - 4) :]]
    reason = ": ".join(line.rstrip(":") for line in kept[:2]) + "".join(f"\n{line}" for line in kept[2:])
    for folder in (f"file://{PACKAGE}/", f"{PACKAGE}/"):
        reason = reason.replace(folder, "./")
    return reason.replace("we can conclude that your requirements are unsatisfiable", "this cannot be installed")


def blame(reason: str, requirements: str) -> str:
    """Return `requirements.txt:3: Pillow==99: ` for the first line whose package the reason names, else nothing."""
    words = {_canonical(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", reason)}
    words |= {_canonical(word.split("==")[0]) for word in re.findall(r"[A-Za-z0-9._-]+==", reason)}
    for number, line in enumerate(requirements.splitlines(), 1):
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not text or text.startswith("-"):
            continue
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)
        place = "./" + text.removeprefix("./")
        if (name and _canonical(name.group()) in words) or text in reason or place in reason:
            return f"requirements.txt:{number}: {text}: "
    return ""


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).strip("-").lower()
