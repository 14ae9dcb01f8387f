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
if [ -z "$missing" ]; then exit 0; fi

# shellcheck disable=SC2086
exec sh "$(dirname "$0")/install_debian.sh" "the browser tests that need it will be skipped" $missing
