#!/bin/sh
# install_debian.sh CONSEQUENCE PACKAGE...: installs Debian packages where that needs no password, and says what follows
# where it cannot. Never fails.
set -u

consequence=$1
shift

if ! command -v apt-get >/dev/null 2>&1; then
    echo "make: no $* and no apt-get: $consequence"
    exit 0
elif [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "make: no right to install them (apt-get install $*): $consequence"
    exit 0
fi

echo "make: installing $*"
options="-q -y -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o DPkg::Lock::Timeout=60"
log=$(mktemp)
install() {
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive timeout 400 $as_root apt-get $options install --no-install-recommends "$@" >>"$log" 2>&1
}
# shellcheck disable=SC2086
install "$@" || { timeout 120 $as_root apt-get $options update >>"$log" 2>&1 && install "$@"; } || {
    echo "make: $* could not be installed: $consequence. The end of apt-get's answer:"
    tail -n 5 "$log"
}
rm -f "$log"
exit 0
