#!/bin/sh
# The browser tests drive the system's Chromium. Installs Debian's where that needs no password; never fails: without a
# browser those tests are skipped, and say so.
set -u

for name in "${RECLENS_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

if ! command -v apt-get >/dev/null 2>&1; then
    echo "make: no Chromium and no apt-get: the browser tests will be skipped"
    exit 0
elif [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "make: no Chromium, and no right to install it (apt-get install chromium): the browser tests will be skipped"
    exit 0
fi

echo "make: installing Debian's chromium for the browser tests"
options="-q -y -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o DPkg::Lock::Timeout=60"
log=$(mktemp)
install() {
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive timeout 400 $as_root apt-get $options install --no-install-recommends chromium >>"$log" 2>&1
}
# shellcheck disable=SC2086
install || { timeout 120 $as_root apt-get $options update >>"$log" 2>&1 && install; } || {
    echo "make: chromium could not be installed; the browser tests will be skipped. The end of apt-get's answer:"
    tail -n 5 "$log"
}
rm -f "$log"
exit 0
