#!/bin/sh
# Makes the virtual environment given as $1 and installs the pinned requirements into it.
set -eu
venv=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

fail() {
    printf 'Millrace cannot be installed: %s\n' "$1" >&2
    exit 1
}

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && supported "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

command -v java >/dev/null || [ -x "${JAVA_HOME:-/nowhere}/bin/java" ] ||
    fail "no java was found. Install Java 17 or newer (Debian, Ubuntu: apt-get install openjdk-17-jre-headless)."

if ! { [ -x "$venv/bin/python" ] && supported "$venv/bin/python"; }; then
    python=$(find_python)
    [ -n "$python" ] ||
        fail "Python 3.11 or 3.12 is needed, $(python3 --version 2>&1 || echo none) was found. PYTHON=/path/to/python3.11 make up uses another."
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$python has no venv module. Install it (Debian, Ubuntu: apt-get install python3-venv)."
    echo "making a virtual environment in $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

echo "installing the requirements into $venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "$(grep '^uv==' requirements.txt | cut -d' ' -f1)"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" -r requirements.txt
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --editable .
touch "$venv/.installed"
