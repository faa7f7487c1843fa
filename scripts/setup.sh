#!/usr/bin/env bash
# Make the virtual environment that `make demo`, `make test` and `make bench` share, and see to
# bubblewrap. Safe to run again. Usage: scripts/setup.sh [folder of the environment]
set -euo pipefail
venv=${1:-.venv}

find_python() {
  for name in "${PYTHON:-}" python3 python3.11 python3.12 python3.13 python3.14; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "setup: Python 3.11 or newer is needed; install it, or name it: make setup PYTHON=/path/to/python" >&2
  exit 1
}

see_to_bubblewrap() {
  [ "$(uname -s)" = Linux ] || return 0
  command -v bwrap >/dev/null 2>&1 && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup: installing bubblewrap"
    apt-get install -y -qq bubblewrap >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq bubblewrap >/dev/null; }
  else
    echo "setup: bubblewrap is missing; repairs refuse to run without it." >&2
    echo "       Install it, for example: sudo apt-get install bubblewrap" >&2
  fi
}

python=$(find_python)
see_to_bubblewrap
[ -x "$venv/bin/python" ] || { echo "setup: creating $venv"; "$python" -m venv "$venv"; }
echo "setup: installing the pinned packages (about a minute the first time)"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "setup: ready. Go on with: . $venv/bin/activate, then make demo"
