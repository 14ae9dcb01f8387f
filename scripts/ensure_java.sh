#!/bin/sh
# A session of Spark in this process runs on a JVM. Installs Debian's OpenJDK 17 where there is no Java and that needs no
# password; never fails: the tests that need it say what is missing.
set -u

if command -v java >/dev/null 2>&1 || [ -n "${JAVA_HOME:-}" ]; then exit 0; fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "make: no java and no apt-get: install OpenJDK 17, or set JAVA_HOME"
    exit 0
elif [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "make: no right to install Java (apt-get install openjdk-17-jre-headless)"
    exit 0
fi

echo "make: installing openjdk-17-jre-headless"
options="-q -y -o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o DPkg::Lock::Timeout=60"
log=$(mktemp)
install() {
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive timeout 400 $as_root apt-get $options install --no-install-recommends openjdk-17-jre-headless >>"$log" 2>&1
}
# shellcheck disable=SC2086
install || { timeout 120 $as_root apt-get $options update >>"$log" 2>&1 && install; } || {
    echo "make: openjdk-17-jre-headless could not be installed. The end of apt-get's answer:"
    tail -n 5 "$log"
}
rm -f "$log"
exit 0
