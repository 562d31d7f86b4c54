"""Make the file tree of a base image from Debian packages, with nothing but apt's own tools and no root.

apt resolves and fetches against package lists of its own (signatures and hashes checked), the packages' data archives
are merged into one tar stream, and no maintainer script runs: what those would do and we need is done here or by the
first container (`base_image.py`). Measured against debootstrap: 12 s instead of 40 s, 150 MB instead of 400 MB.
"""

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import IO

from shared.errors import PlatformFault

SUITES = {"3.11": "bookworm", "3.13": "trixie"}
"""Debian release that carries each Python."""

BASE_PACKAGES = {
    "common": [
        *("base-files", "coreutils", "dash", "debianutils", "findutils", "grep", "hostname", "libc-bin", "sed"),
        *("media-types", "netbase", "python3", "tzdata"),
        *("libgl1", "libgomp1", "libsm6", "libxext6", "libxrender1"),
    ],
    "bookworm": ["libglib2.0-0", "python3-distutils"],
    "trixie": ["libglib2.0-0t64"],
}
TOOLCHAIN_PACKAGES = [
    *("bash", "binutils", "g++", "gcc", "git", "gzip", "libc6-dev", "make", "patch", "pkgconf"),
    *("python3-dev", "tar", "xz-utils"),
]

LEFT_OUT = re.compile(
    r"""^( libllvm.* | libz3-.* | libgl1-mesa-dri | libglx-mesa0 | libglapi-mesa | mesa-.* | libgbm1 | libdrm.*
    | libsensors.* | libpciaccess0 | libedit2 | libelf1.* | libicu.* | libxml2.* | libvulkan.* | libwayland.*
    | libx11-data | libx11-xcb1 | libxcb-(dri|glx|present|randr|sync|xfixes).* | libxshmfence1 | libxxf86vm1
    | libxfixes3 | x11-common | lsb-base | libblkid1
    | debconf | dpkg | dpkg-dev | libdpkg-perl | sysvinit-utils | init-system-helpers | install-info | sensible-utils
    | libaudit.* | libpam.* | libcap-ng0 | adduser | passwd | login.* | mawk | ca-certificates | openssl
    | perl.* | libperl.* | liberror-perl | python3-doc | libjs-.* | javascript-common
    | python3-setuptools | python3-pkg-resources )$""",
    re.VERBOSE,
)
"""Dependencies that only drivers, package tools and documentation use: a GL library must load, not draw."""

DROPPED_PATHS = re.compile(r"^usr/share/(doc|man|info|locale|lintian|bug|menu|bash-completion|gitweb|perl5|gdb)(/|$)")
MERGED = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")
Progress = Callable[[str], None]

ETC = {
    "passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        "build:x:65533:65533:build:/tmp:/bin/sh\n"
        "model:x:65532:65532:model:/tmp:/bin/sh\n"
    ),
    "group": "root:x:0:\nnogroup:x:65534:\nbuild:x:65533:\nmodel:x:65532:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
FOLDERS = {  # path: (mode, uid)
    **dict.fromkeys(["etc", "usr", "usr/bin", "usr/lib", "usr/local", "usr/local/bin", "usr/sbin", "var"], (0o755, 0)),
    **dict.fromkeys(["dev", "proc", "sys", "run", "opt", "app", "workspace", "workspace/in"], (0o755, 0)),
    "workspace/out": (0o755, 65532),
    "opt/venv": (0o755, 65533),
    "root": (0o700, 0),
    "tmp": (0o1777, 0),
    "var/tmp": (0o1777, 0),
}


def recipe() -> str:
    """Everything here that decides what is in a base image; a change makes a new one."""
    left_out = "".join(LEFT_OUT.pattern.split())
    return repr((BASE_PACKAGES, left_out, DROPPED_PATHS.pattern, ETC, FOLDERS, "layout 2"))


def can_make() -> str | None:
    """Say what is missing on this host to make an image from Debian packages; None when nothing is."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            return f"{program} is not on this host"
    if not keyring().exists():
        return f"{keyring()} is not on this host (package debian-archive-keyring)"
    return None


def keyring() -> Path:
    """Key ring that signs Debian's archive."""
    return Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def mirrors(sources: Iterable[str]) -> tuple[str, str]:
    """(main, security) mirror that this machine's apt sources name, else Debian's own."""
    text = "\n".join(line for source in sources for line in source.splitlines() if not line.lstrip().startswith("#"))
    main = re.search(r"https?://[^\s\]]+/debian/?(?=\s|$)", text)
    security = re.search(r"https?://[^\s\]]+/debian-security/?(?=\s|$)", text)
    return (
        main.group().rstrip("/") if main else "http://deb.debian.org/debian",
        security.group().rstrip("/") if security else "http://deb.debian.org/debian-security",
    )


def make_tree(python: str, arch: str, folder: Path, files: dict[str, Path], progress: Progress) -> Path:
    """Write the base tree for `python` as `<folder>/base.tar` and return its path.

    `files` maps paths inside the image to files of this host (uv). Blocks: call it in a thread.
    """
    apt = _Apt(SUITES[python], arch, folder)
    names = apt.resolve(BASE_PACKAGES["common"] + BASE_PACKAGES[apt.suite])
    progress(f"fetching {len(names)} Debian packages ({apt.suite})")
    debs = apt.fetch(names)
    progress("unpacking them")
    target = folder / "base.tar"
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        merged = _Merge(out)
        merged.skeleton()
        for deb in debs:
            merged.add_deb(deb)
        merged.finish(python, files)
    return target


def make_toolchain(python: str, arch: str, folder: Path, progress: Progress) -> Path:
    """Write what the toolchain adds to the base tree as `<folder>/toolchain.tar`; blocks like `make_tree`."""
    apt = _Apt(SUITES[python], arch, folder)
    base = apt.resolve(BASE_PACKAGES["common"] + BASE_PACKAGES[apt.suite])
    added = [name for name in apt.resolve(TOOLCHAIN_PACKAGES) if name not in set(base)]
    progress(f"fetching {len(added)} Debian packages (compiler, git)")
    debs = apt.fetch(added)
    target = folder / "toolchain.tar"
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        merged = _Merge(out)
        for deb in debs:
            merged.add_deb(deb)
        for link, to in {"cc": "gcc", "c++": "g++"}.items():  # Debian makes these in maintainer scripts
            merged.symlink(f"usr/bin/{link}", to)
    return target


class _Apt:
    """apt with lists, status and cache of its own; the machine's package database is neither read nor written."""

    def __init__(self, suite: str, arch: str, folder: Path) -> None:
        self.suite, self._folder = suite, folder.resolve()
        state, self._archives = self._folder / f"apt-{suite}-{arch}", self._folder / f"debs-{suite}-{arch}"
        for sub in (state / "lists/partial", state / "cache/archives/partial", self._archives):
            sub.mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        (state / "sources.list").write_text(self._sources())
        (state / "apt.conf").write_text(
            f'Dir::State "{state}"; Dir::State::Lists "{state}/lists"; Dir::State::status "{state}/status";\n'
            f'Dir::Cache "{state}/cache"; Dir::Etc::sourcelist "{state}/sources.list";\n'
            'Dir::Etc::sourceparts "/dev/null";\n'
            'Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";\n'
            'APT::Install-Recommends "false"; APT::Install-Suggests "false"; Acquire::Languages "none";\n'
            f'APT::Architecture "{arch}"; APT::Architectures {{ "{arch}"; }}; APT::Sandbox::User "root";\n'
            'Acquire::Retries "3"; Acquire::http::Timeout "30"; Acquire::https::Timeout "30";\n'
        )
        self._env = {**os.environ, "APT_CONFIG": str(state / "apt.conf"), "LC_ALL": "C.UTF-8"}
        self._run("update", "-q")

    def _sources(self) -> str:
        places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
        main, security = mirrors(p.read_text(errors="replace") for p in places if p.is_file())
        signed = f"[signed-by={keyring()}]"
        return f"deb {signed} {main} {self.suite} main\ndeb {signed} {security} {self.suite}-security main\n"

    def _run(self, *args: str, cwd: Path | None = None) -> str:
        done = subprocess.run(["apt-get", *args], env=self._env, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = next((x for x in done.stderr.splitlines() if x.startswith("E:")), done.stderr.strip()[-300:])
            raise PlatformFault(f"apt-get {args[0]} for the base image failed: {reason}")
        return done.stdout

    def resolve(self, packages: list[str]) -> list[str]:
        """Names of `packages` and all they depend on, without what an image has no use for."""
        plan = self._run("install", "-y", "--simulate", *packages)
        names = re.findall(r"^Inst (\S+) ", plan, re.MULTILINE)
        return sorted(name for name in names if not LEFT_OUT.match(name))

    def fetch(self, names: list[str]) -> list[Path]:
        """Fetch packages that are not in the cache yet; apt checks their hashes."""
        self._run("download", "-q", *names, cwd=self._archives)
        wanted = set(names)
        newest: dict[str, Path] = {}
        for deb in sorted(self._archives.glob("*.deb"), key=lambda p: p.stat().st_mtime):
            if (name := deb.name.split("_", 1)[0]) in wanted:
                newest[name] = deb
        return [newest[name] for name in names]


class _Merge:
    """One tar out of many packages: merged /usr, owner root, no setuid bit, no documentation."""

    def __init__(self, out: tarfile.TarFile) -> None:
        self._out, self._seen = out, set[str]()

    def skeleton(self) -> None:
        for path, (mode, uid) in FOLDERS.items():
            info = tarfile.TarInfo(path)
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, uid, uid
            self._add(info)
        for name in MERGED[:4]:
            self.symlink(name, f"usr/{name}")
        for name, text in ETC.items():
            self.file(f"etc/{name}", text.encode())

    def finish(self, python: str, files: dict[str, Path]) -> None:
        self.symlink("usr/local/bin/python", f"/usr/bin/python{python}")
        self.symlink("usr/local/bin/python3", f"/usr/bin/python{python}")
        self.symlink("usr/bin/sh", "dash")
        self.symlink("usr/bin/which", "which.debianutils")
        for path, source in files.items():
            self.file(path, source.read_bytes(), 0o755)

    def add_deb(self, deb: Path) -> None:
        with (
            subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as package,
        ):
            for info in package:
                self._add_member(package, info)
        about = subprocess.run(["dpkg-deb", "--field", str(deb)], capture_output=True, check=False)
        # where vulnerability scanners look for the packages of an image without dpkg
        self.file(f"var/lib/dpkg/status.d/{deb.name.split('_', 1)[0]}", about.stdout)
        if process.returncode or about.returncode:
            raise PlatformFault(f"{deb} cannot be unpacked; delete it and start again")

    def _add_member(self, package: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        info.name = _merged_path(info.name)
        if not info.name or DROPPED_PATHS.match(info.name) or info.name in MERGED or info.isdev():
            return
        info.mode &= 0o1777
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        if info.islnk():
            info.linkname = _merged_path(info.linkname)
        self._add(info, package.extractfile(info) if info.isreg() else None)

    def symlink(self, path: str, to: str) -> None:
        info = tarfile.TarInfo(path)
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, to, 0o777
        self._add(info)

    def file(self, path: str, body: bytes, mode: int = 0o644) -> None:
        info = tarfile.TarInfo(path)
        info.size, info.mode = len(body), mode
        self._add(info, BytesIO(body))

    def _add(self, info: tarfile.TarInfo, body: IO[bytes] | None = None) -> None:
        if info.name in self._seen:  # a directory of several packages, or a path the skeleton owns
            return
        self._seen.add(info.name)
        self._out.addfile(info, body)


def _merged_path(name: str) -> str:
    """Path below the root with /bin, /lib and their kind moved under /usr, as every Debian since 12 has them."""
    path = name.removeprefix("./").strip("/")
    first, _, rest = path.partition("/")
    return f"usr/{first}/{rest}" if first in MERGED and rest else path.removeprefix(".")
