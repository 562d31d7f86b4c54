"""Where a requirement may come from: the index, https, git over https, and files of the package; nothing else."""

import ipaddress
import posixpath
import re
from urllib.parse import urlsplit

from shared.package.model import shown

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")
_PLAIN = re.compile(r"^[A-Za-z0-9._+!@=~,/ -]+$")
_PRIVATE = frozenset({"local", "localhost", "internal", "intranet", "lan", "home", "corp", "arpa", "test", "invalid"})
_CPU_TORCH = "download.pytorch.org"


def is_url(text: str) -> bool:
    """Tell a URL from a path."""
    return bool(_SCHEME.match(text)) and not _DRIVE.match(text)


def url_fault(url: str, allowed_hosts: frozenset[str], *, git: bool) -> str | None:
    """Say why a build may not go to `url` and what to do, or None."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "contains characters that no URL has; encode them as %XX"
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "is no URL; correct it"
    scheme = parts.scheme.lower()
    if scheme == "file":
        return "names a file of the building machine; put the file into the ZIP and write its path (./wheels/x.whl)"
    if scheme in ("git+ssh", "ssh", "git+git", "git"):
        return "needs a key or a port that a build does not have; write git+https://…"
    if scheme not in (("https", "git+https") if git else ("https",)) and not (
        host in allowed_hosts and scheme in (("http", "git+http") if git else ("http",))
    ):
        return f"has the scheme {shown(scheme)}; a build fetches over https" + (" or git+https" if git else "")
    if not host:
        return "names no host; correct it"
    if host in allowed_hosts:
        return None
    if not _is_public(host):
        return f"names the host {shown(host)}, which is not public; put the file into the ZIP, or ask the operator"
    return None


def index_fault(option: str, url: str, allowed_hosts: frozenset[str]) -> str | None:
    """Say why `option url` may not move the index, or None when the operator allows that host."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        host = ""
    if host in allowed_hosts:
        return url_fault(url, allowed_hosts, git=False)
    if host == _CPU_TORCH or host.endswith("." + _CPU_TORCH):
        return "is not needed: ClinAI picks the build of torch that fits its machines by itself; remove the line"
    where = f"the host {shown(host)}" if host else f"'{shown(url)}'"
    return (
        f"would take packages from {where}, and the operator of this platform decides on the index; remove the line, "
        "put wheels into the ZIP (./wheels/x.whl), or ask for the host (CLINAI_ALLOWED_INDEX_HOSTS)"
    )


def inside(path: str, folder: str = "") -> str | None:
    """Return a path of the package, relative to its root, from one relative to `folder`; None when it leads out."""
    if path.startswith(("/", "~")) or "\\" in path or _DRIVE.match(path):
        return None
    found = posixpath.normpath(posixpath.join(folder, path))
    return None if found == ".." or found.startswith(("../", "/")) else found


def is_plain(path: str) -> bool:
    """Whether a path can be written in a requirement file without being read as something else."""
    return bool(_PLAIN.match(path)) and " " not in path


def _is_public(host: str) -> bool:
    """Whether a host looks public; what a name resolves to is for the network of builds to bound."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    last = host.rstrip(".").rpartition(".")[2]
    # 127.1, 0x7f000001 and 2130706433 are addresses, too, to most resolvers
    is_name = last.isalpha() or last.startswith("xn--")
    return "." in host.rstrip(".") and is_name and last not in _PRIVATE
