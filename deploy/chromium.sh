#!/bin/sh
# The one place that knows where a Chromium is: prints the path of the browser for tests, pictures and figures of web/.
# CHROMIUM names one; else the first of the usual names on PATH.
#   deploy/chromium.sh            print it; status 1 and what to install when there is none
#   deploy/chromium.sh install    the same, after Debian's package was installed where there is none
set -eu

find_it() {
    if [ -n "${CHROMIUM:-}" ]; then
        command -v "$CHROMIUM" || { echo "error: CHROMIUM=$CHROMIUM is not a program" >&2; exit 1; }
        return
    fi
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" && return
    done
    return 1
}

find_it && exit 0
if [ "${1:-}" = install ] && command -v apt-get >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "» apt-get install chromium" >&2
    $as_root apt-get update -q >/dev/null
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium >/dev/null
    find_it && exit 0
fi
echo "error: no Chromium here, which the browser tests need: make system-packages (Debian, Ubuntu), or install Chromium" \
     "or Chrome and name it, CHROMIUM=/path/of/it" >&2
exit 1
