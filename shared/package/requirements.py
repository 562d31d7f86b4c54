"""requirements.txt: what a package asks to be installed, judged line by line and written anew.

uv gets the rewritten files, never the original ones: what was judged here is exactly what it reads. Line numbers stay.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from shared.codes import BuildCode, PackageCode
from shared.errors import BuildError
from shared.package.lines import decode, logical_lines
from shared.package.model import RequirementFiles, Rules, amount, fault, shown, some
from shared.package.places import index_fault, inside, is_plain, is_url, url_fault

NAME = "requirements.txt"
BYTES_MAX = 1024**2
FILES_MAX = 50
SPEC_CHARS_MAX = 4096
ARCHIVES = (".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_][A-Za-z0-9_]*\}?")
_HASH = re.compile(r"\s--hash[=\s]\s*(\S+)")
_SHA = re.compile(r"(sha256|sha384|sha512):[0-9a-f]{64,128}")
_OPTION = re.compile(r"^(--?[A-Za-z][A-Za-z-]*)(?:\s*=\s*|\s+|$)(.*)$")
_SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-i": "--index-url", "-f": "--find-links"}
_DROPPED = (
    "--pre",
    "--prefer-binary",
    "--trusted-host",
    "--no-cache-dir",
    "--upgrade",
    "-U",
    "--disable-pip-version-check",
)
_EXTRAS = re.compile(r"^(.*?)(\[[A-Za-z0-9._, -]*\])?$")

Read = Callable[[str], bytes]


class _Reader:
    """Reads one requirement file after the other, following -r and -c."""

    def __init__(self, names: list[str], read: Read, rules: Rules) -> None:
        self._names = frozenset(names)
        self._read = read
        self._hosts = rules.allowed_hosts
        self._more: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.installed: set[str] = set()
        self.found_in: set[str] = set()
        self.options: list[str] = []
        self.needs_sources = False
        self.loose: list[str] = []
        self.warnings: list[str] = []

    def file(self, path: str, raw: bytes) -> None:
        """Judge one file and those it includes."""
        self.texts[path] = self._more[path] = ""
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            self.warnings.append(f"{shown(path)} is UTF-16, as PowerShell's > writes it; it was read as that")
        out: dict[int, str] = {}
        last = 0
        for number, line in logical_lines(path, decode(path, raw)):
            out[number] = self._line(path, number, line)
            last = number
        self.texts[path] = "".join(f"{out.get(number, '')}\n" for number in range(1, last + 1)) + self._more[path]

    def _line(self, path: str, number: int, line: str) -> str:
        where = f"{shown(path)}:{number}"
        if not line.isprintable() and not line.replace("\t", " ").isprintable():
            raise _forbidden(where, "the line contains a control character; remove it")
        if found := _VARIABLE.search(line):
            raise _forbidden(
                where, f"{shown(found[0])}: a build has no environment variables of yours; write the value itself"
            )
        if line.startswith("-"):
            return self._option(path, where, line)
        return self._requirement(where, line)

    # -- options --------------------------------------------------------------------------------------------------

    def _option(self, path: str, where: str, line: str) -> str:
        found = _OPTION.match(line) or re.match(r"^(-[A-Za-z])(.+)$", line)
        if found is None:
            raise _forbidden(where, f"'{shown(line)}' is no option; remove it")
        option, value = _SHORT.get(found[1], found[1]), found[2].strip().strip("\"'")
        if option in _DROPPED:
            self.warnings.append(f"{where}: {option} has no effect here and is left out")
            if option == "--trusted-host" and value.split(":")[0].lower() not in self._hosts:
                raise _forbidden(where, f"--trusted-host {shown(value)} would weaken TLS; remove the line")
            return ""
        if option in ("--requirement", "--constraint"):
            return f"{option} {self._include(path, where, option, value)}"
        if option == "--editable":
            self.warnings.append(f"{where}: -e is read as a plain requirement: an image is not edited")
            return self._requirement(where, value)
        if option in ("--index-url", "--extra-index-url"):
            if why := index_fault(option, value, self._hosts):
                raise _forbidden(where, f"{option} {why}")
            return self._keep(f"{option} {value}")
        if option == "--find-links":
            return self._find_links(path, where, value)
        if option == "--no-index" and not value:
            return self._keep(option)
        if option == "--require-hashes" and not value:
            return option
        if option in ("--no-binary", "--only-binary"):
            # uv takes one name a line; those that do not fit are put at the end of the file
            first, *rest = [self._keep(f"{option} {name}") for name in self._names_of(where, option, value)]
            self._more[path] += "".join(f"{line}\n" for line in rest)
            return first
        raise _forbidden(where, f"the option {shown(found[1])} is not one that ClinAI takes; remove it")

    def _keep(self, line: str) -> str:
        self.options.append(line)
        return line

    def _names_of(self, where: str, option: str, value: str) -> list[str]:
        names = [name for name in re.split(r"[\s,]+", value) if name]
        if not names or not all(re.fullmatch(r":all:|:none:|[A-Za-z0-9._-]+", name) for name in names):
            raise _forbidden(where, f"{option} takes names of packages or :all:; '{shown(value)}' is neither")
        if option == "--no-binary" and names != [":none:"]:
            self.needs_sources = True
        return names

    def _include(self, path: str, where: str, option: str, value: str) -> str:
        if is_url(value):
            raise _forbidden(where, f"{option} {shown(value)} lies outside the package; put that file into the ZIP")
        target = inside(value, path.rpartition("/")[0])
        if target is None:
            raise _forbidden(where, f"{option} {shown(value)} leads out of the package; put that file into the ZIP")
        if target not in self._names:
            raise _unresolvable(where, f"{option} {shown(value)}: there is no such file in the ZIP")
        if not is_plain(target):
            raise _forbidden(
                where, f"the path {shown(target)} has characters that pip reads otherwise; rename the file"
            )
        if target not in self.texts:
            if len(self.texts) >= FILES_MAX:
                raise _forbidden(where, f"more than {FILES_MAX} requirement files; put them together")
            self.file(target, self._read(target))
        here = path.count("/")
        return "../" * here + target

    def _find_links(self, path: str, where: str, value: str) -> str:
        if is_url(value):
            if why := index_fault("--find-links", value, self._hosts):
                raise _forbidden(where, f"--find-links {why}")
            return self._keep(f"--find-links {value}")
        target = inside(value, path.rpartition("/")[0])
        if target is None:
            raise _forbidden(
                where, f"--find-links {shown(value)} leads out of the package; put the wheels into the ZIP"
            )
        prefix = "" if target == "." else f"{target}/"
        files = [name for name in self._names if name.startswith(prefix) and name.endswith(ARCHIVES)]
        if not files:
            raise _unresolvable(where, f"--find-links {shown(value)}: the ZIP has no wheels there")
        if not is_plain(target):
            raise _forbidden(where, f"the path {shown(target)} has characters that pip reads otherwise; rename it")
        self.found_in.update(files)
        self._keep(f"--find-links ./{target}")
        return f"--find-links {'../' * path.count('/') or './'}{target}"

    # -- requirements ---------------------------------------------------------------------------------------------

    def _requirement(self, where: str, line: str) -> str:
        spec, hashes = _split_hashes(where, line)
        if len(spec) > SPEC_CHARS_MAX:
            raise _forbidden(where, f"the requirement has {len(spec)} characters, and the limit is {SPEC_CHARS_MAX}")
        if is_url(spec) or spec.startswith("git+"):
            url, marker = _cut_marker(spec)
            return self._url(where, "", url, marker) + hashes
        if _looks_like_path(spec):
            body, marker = _cut_marker(spec)
            return self._path(where, body, marker) + hashes
        try:
            wanted = Requirement(spec)
        except (InvalidRequirement, RecursionError) as error:
            raise _malformed(where, spec, error) from None
        if wanted.url is None:
            if not any(item.operator in ("==", "===") for item in wanted.specifier):
                self.loose.append(wanted.name)
            return str(wanted) + hashes
        marker = f" ; {wanted.marker}" if wanted.marker else ""
        extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
        if is_url(wanted.url):
            return self._url(where, f"{wanted.name}{extras} @ ", wanted.url, marker) + hashes
        return self._path(where, wanted.url + extras, marker) + hashes

    def _url(self, where: str, name: str, url: str, marker: str) -> str:
        if why := url_fault(url, self._hosts, git=True):
            raise _forbidden(where, f"{shown(url)} {why}")
        if url.startswith("git+"):
            self.needs_sources = True
            if "@" not in urlsplit(url).path:
                self.warnings.append(f"{where}: no commit is named; a later build may get other code (add @<commit>)")
        elif not url.split("#")[0].split("?")[0].endswith(".whl"):
            self.needs_sources = True
        if "@" in url.split("://", 1)[1].split("/", 1)[0]:
            self.warnings.append(
                f"{where}: the URL holds a password or token, which will stand in the lock of the version"
            )
        return f"{name}{url}{marker}"

    def _path(self, where: str, body: str, marker: str) -> str:
        found = _EXTRAS.match(body)
        path, extras = (found[1].strip(), found[2] or "") if found else (body, "")
        target = inside(path)
        if target is None:
            raise _forbidden(where, f"{shown(path)} leads out of the package; put the file into the ZIP")
        if not is_plain(target):
            raise _forbidden(
                where, f"the path {shown(target)} has characters that pip reads otherwise; rename the file"
            )
        if target in self._names:
            if not target.lower().endswith(ARCHIVES):
                raise _unresolvable(where, f"{shown(path)} is neither a wheel nor a source archive (.whl, .tar.gz)")
            self.installed.add(target)
            self.needs_sources |= not target.lower().endswith(".whl")
        else:
            self._project(where, path, "" if target == "." else f"{target}/")
        return f"./{target}{extras}{marker}"

    def _project(self, where: str, path: str, prefix: str) -> None:
        if not ({f"{prefix}pyproject.toml", f"{prefix}setup.py"} & self._names):
            raise _unresolvable(
                where, f"{shown(path)}: the ZIP has neither such a file nor a folder of that name with a pyproject.toml"
            )
        self.installed.update(name for name in self._names if name.startswith(prefix))
        self.needs_sources = True


def read_requirements(raw: bytes, names: list[str], read: Read, rules: Rules) -> RequirementFiles:
    """Judge requirements.txt and all it includes; `names` are the files of the package, `read` gives one that is small.

    Raises PackageError (REQUIREMENT_FORBIDDEN), BuildError (RESOLUTION_FAILED) for what could never be resolved.
    """
    reader = _Reader(names, read, rules)
    reader.file(NAME, raw)
    if reader.loose:
        listed = some(sorted(set(reader.loose)))
        reader.warnings.append(f"no exact version is pinned for {listed}; a later build may get another one (use ==)")
    return RequirementFiles(
        texts=reader.texts,
        installed=tuple(sorted(reader.installed)),
        found_in=tuple(sorted(reader.found_in)),
        options=tuple(dict.fromkeys(reader.options)),
        needs_sources=reader.needs_sources,
        warnings=tuple(reader.warnings[:20]),
    )


def too_large(path: str, size: int) -> Exception:
    """Return the error for a requirement file that no resolver should read."""
    return _forbidden(shown(path), f"the file has {amount(size)} and the limit is {amount(BYTES_MAX)}; shorten it")


def _split_hashes(where: str, line: str) -> tuple[str, str]:
    hashes = _HASH.findall(line)
    spec = _HASH.sub("", line).strip()
    for value in hashes:
        if not _SHA.fullmatch(value):
            raise _forbidden(where, f"the hash {shown(value)} is none that is safe; use --hash=sha256:<64 hex digits>")
    if (option := re.search(r"\s(--[a-z-]+)", spec)) is not None:
        raise _forbidden(where, f"the option {option[1]} is not one that ClinAI takes after a requirement; remove it")
    return spec, "".join(f" --hash={value}" for value in hashes)


def _cut_marker(spec: str) -> tuple[str, str]:
    """Split `./x.whl ; python_version < "3.12"`; the marker is checked by reading it as one."""
    body, separator, marker = spec.partition(" ;") if " ;" in spec else spec.partition("; ")
    if not separator:
        return spec, ""
    try:
        return body.strip(), f" ; {Requirement(f'x ; {marker}').marker}"
    except (InvalidRequirement, RecursionError):
        return spec, ""


def _looks_like_path(spec: str) -> bool:
    head = re.split(r"\s*(?:\s;|;\s|\[)", spec, maxsplit=1)[0]
    is_named = re.match(r"^[A-Za-z0-9._-]+\s*(\[[^\]]*\])?\s*@", spec)
    return not is_named and (head.startswith((".", "/", "~", "\\")) or "/" in head or head.lower().endswith(ARCHIVES)
                             or "\\" in head)  # fmt: skip


def _malformed(where: str, spec: str, error: Exception) -> BuildError:
    if found := re.match(r"^([A-Za-z0-9._-]+)\s*=\s*([0-9][A-Za-z0-9.*+!_-]*?)(=\S*)?$", spec):
        what = "a line of conda" if found[3] else "a single '='"
        return _unresolvable(where, f"'{shown(spec)}' has {what}; write {found[1]}=={found[2]}")
    if re.match(r"^[A-Za-z0-9._-]+\s+[0-9]\S*$", spec):
        name, version = spec.split()
        return _unresolvable(where, f"'{shown(spec)}' has no operator; write {canonicalize_name(name)}=={version}")
    if re.match(r"^(pip|pip3|python|uv)\s", spec):
        return _unresolvable(where, f"'{shown(spec)}' is a command; write only the requirement, such as numpy==2.1.0")
    why = str(error).strip().splitlines()[0] if str(error) else "it cannot be parsed"
    return _unresolvable(where, f"'{shown(spec)}' is no requirement: {shown(why)}; write name==version")


def _unresolvable(where: str, why: str) -> BuildError:
    return BuildError(BuildCode.RESOLUTION_FAILED, f"{where}: {why}")


def _forbidden(where: str, why: str) -> Exception:
    return fault(PackageCode.REQUIREMENT_FORBIDDEN, f"{where}: {why}")
