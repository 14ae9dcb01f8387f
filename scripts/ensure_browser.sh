#!/bin/sh
# The browser tests drive the system's Chromium, and poppler reads printed documents back. Installs Debian's where that
# needs no password; never fails: without them those tests are skipped, and say so.
set -u

missing=""
chromium=""
for name in "${RECLENS_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then chromium=$name; fi
done
if [ -z "$chromium" ]; then missing="chromium"; fi
if ! { command -v pdftotext && command -v pdftoppm; } >/dev/null 2>&1; then missing="$missing poppler-utils"; fi
missing=${missing# }
if [ -z "$missing" ]; then exit 0; fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "make: no $missing and no apt-get: the tests that need it will be skipped"
    exit 0
elif [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "make: no right to install what the browser tests need (apt-get install $missing): they will be skipped"
    exit 0
fi

echo "make: installing $missing for the browser tests"
options="-q -y -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o DPkg::Lock::Timeout=60"
log=$(mktemp)
install() {
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive timeout 400 $as_root apt-get $options install --no-install-recommends $missing >>"$log" 2>&1
}
# shellcheck disable=SC2086
install || { timeout 120 $as_root apt-get $options update >>"$log" 2>&1 && install; } || {
    echo "make: $missing could not be installed; the tests that need it will be skipped. The end of apt-get's answer:"
    tail -n 5 "$log"
}
rm -f "$log"
exit 0
