#!/bin/sh
# Finds a Node for web/ and runs one npm script; where the machine has none, Node comes from the package index into
# .venv. Called by the Makefile.
#   deploy/web.sh install | build | <npm script> [arguments]
set -eu
cd "$(dirname "$0")/.."

fail() { echo "error: $*" >&2; exit 1; }

suits() { "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' >/dev/null 2>&1; }

if command -v npm >/dev/null 2>&1 && suits node; then
    :
else
    if ! suits .venv/bin/node; then
        echo "» no Node 20.19 or newer with npm on PATH: fetching one into .venv"
        deploy/setup.sh node || fail "the web page needs Node 20.19 or newer: install it (https://nodejs.org), then run again"
    fi
    PATH="$PWD/.venv/bin:$PATH"
    suits node || fail "the Node in .venv does not run here: install Node 20.19 or newer (https://nodejs.org), then run again"
fi
cd web
script=$1
shift
case $script in
    install)
        echo "» web packages as locked (npm ci)"
        npm ci --no-fund --no-audit --no-update-notifier --loglevel=error || fail "web: npm ci did not work (see above; behind a proxy set HTTPS_PROXY, behind a CA of your own NODE_EXTRA_CA_CERTS)"
        ;;
    build)
        echo "» building the web page"
        npm run --silent build -- --logLevel warn "$@" || fail "web: the page could not be built (see above)"
        ;;
    *) exec npm run --silent "$script" -- "$@" ;;
esac
