#!/usr/bin/env bash
# Prepares a machine that has Python and nothing else. Called by the Makefile:
#   scripts/set_up.sh environment   .venv with the package and its development tools
#   scripts/set_up.sh peers         .venv-peers with the package and the tools that benchmarks compare it with
#   scripts/set_up.sh metrics       .venv-metrics with the tools whose scores a test compares with ours
#   scripts/set_up.sh pyside        .venv-pyside with the package and its tests, for the other Qt binding
#   scripts/set_up.sh libraries     what Qt and OpenGL need from the system; a virtual screen where there is no screen
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Install Debian packages, if this system has apt and this user may.
apt_install() {
  local as_root=()
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  echo "Installing $* ..."
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null || true # a broken extra source
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null
}

find_python() {
  local name
  for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "Python 3.11 or newer is needed and was not found: install it, or say where it is, as in: make test PYTHON=/path/to/python3.11"
}

# make_environment FOLDER GROUP [MORE FOR PIP]
make_environment() {
  local python package folder=$1 group=$2
  shift 2
  python=$(find_python)
  if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
      package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
      apt_install "$package" || fail "Python's venv module is incomplete: install it with: sudo apt-get install $package"
    fi
    echo "Making $folder with $("$python" --version) ..."
    "$python" -m venv --clear "$folder"
  fi
  echo "Installing what it needs into $folder (some minutes the first time) ..."
  "$folder/bin/python" -m pip install -qq -c constraints-dev.txt --upgrade pip
  "$folder/bin/python" -m pip install -qq -c constraints-dev.txt --group "$group" "$@"
  touch "$folder/.ready"
}

environment() { make_environment .venv dev -e .; }

peers() { make_environment .venv-peers peers -e .; }

metrics() { make_environment .venv-metrics metrics; }

pyside() { make_environment .venv-pyside test -e . PySide6-Essentials; }

# One line for each thing that is missing: "Debian-package what".
missing() {
  .venv/bin/python - <<'PYTHON'
import ctypes, os, shutil

libraries = {
    "libegl1": "libEGL.so.1",
    "libgl1": "libGL.so.1",
    "libglib2.0-0": "libglib-2.0.so.0",
    "libfontconfig1": "libfontconfig.so.1",
    "libdbus-1-3": "libdbus-1.so.3",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-shape0": "libxcb-shape.so.0",
}
programs = {"x11-utils": "xdpyinfo"}
if not os.environ.get("DISPLAY"):
    programs |= {"xvfb": "xvfb-run", "xauth": "xauth"}
for package, name in libraries.items():
    try:
        ctypes.CDLL(name)
    except OSError:
        print(package, name)
for package, name in programs.items():
    if shutil.which(name) is None:
        print(package, name)
PYTHON
}

libraries() {
  local found packages what
  [ "$(uname)" = Linux ] || return 0
  found=$(missing)
  [ -n "$found" ] || return 0
  packages=$(cut -d' ' -f1 <<<"$found" | xargs)
  what=$(cut -d' ' -f2 <<<"$found" | xargs)
  # shellcheck disable=SC2086 # a list of words
  apt_install $packages && return 0
  if command -v apt-get >/dev/null; then
    fail "napari's window needs some system libraries: run sudo apt-get install --no-install-recommends $packages"
  fi
  fail "napari's window needs what this system lacks: install the packages that bring $what"
}

case "${1:-}" in
environment | peers | metrics | pyside | libraries) "$1" ;;
*) fail "usage: $0 environment | peers | metrics | pyside | libraries" ;;
esac
