#!/bin/sh
# Makes .venv from nothing but a Python and fills it as uv.lock says. Called by the Makefile; may be run again.
#   deploy/setup.sh runtime|dev|node
set -eu
cd "$(dirname "$0")/.."
what=${1:-runtime}

say() { echo "» $*"; }
fail() { echo "error: $*" >&2; exit 1; }

suits() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if suits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and not on PATH: install it (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.11"
}

# Debian and Ubuntu keep ensurepip in a package of its own.
add_venv_package() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    package="python$version-venv"
    if [ "$(id -u)" = 0 ]; then root=""; else root="sudo"; fi
    if ! command -v apt-get >/dev/null 2>&1 || { [ -n "$root" ] && ! command -v sudo >/dev/null 2>&1; }; then
        fail "$1 has no ensurepip, which makes virtual environments: install it (Debian, Ubuntu: apt-get install $package), or install uv and run again"
    fi
    if [ -t 0 ]; then
        printf '» %s cannot make virtual environments; may I install %s? [Y/n] ' "$1" "$package"
        read -r answer
        case $answer in "" | y | Y | yes) ;; *) fail "stopped: apt-get install $package, then run again" ;; esac
    else
        say "$1 cannot make virtual environments: installing $package"
    fi
    log=$(mktemp)
    if ! { $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package"; } >"$log" 2>&1; then
        tail -n 3 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install $package: install it yourself, then run again"
    fi
    rm -f "$log"
}

if ! .venv/bin/python -c '' 2>/dev/null; then
    if command -v uv >/dev/null 2>&1; then
        say "making .venv with uv"
        uv venv --quiet --clear --python ">=3.11" .venv || fail "uv could not make .venv (see above)"
    else
        python=$(find_python)
        "$python" -c 'import ensurepip' 2>/dev/null || add_venv_package "$python"
        say "making .venv with $python"
        "$python" -m venv --clear .venv || fail "$python -m venv did not work (see above)"
    fi
fi
if ! .venv/bin/uv --version >/dev/null 2>&1; then
    locked=$(sed -n '/^name = "uv"$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)
    say "fetching uv $locked"
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python .venv/bin/python "uv==$locked" || fail "uv could not be fetched (see above)"
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$locked" \
            || fail "uv could not be fetched from the package index (see above; behind a proxy or a CA of your own, set HTTPS_PROXY, PIP_INDEX_URL, PIP_CERT)"
    fi
fi
# uv replaces itself while it runs when the lock says so; what somebody added by hand stays
case $what in
    runtime) set -- --no-dev --extra embedded ;;
    dev) set -- --extra embedded ;;
    node) set -- --no-dev --extra embedded --extra node ;;
    *) fail "no set of packages is called $what" ;;
esac
say "Python packages as locked ($what)"
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv sync --quiet --frozen --inexact "$@" \
    || fail "the Python packages could not be fetched (see above; behind a proxy or a CA of your own, set HTTPS_PROXY, UV_INDEX_URL, SSL_CERT_FILE)"
