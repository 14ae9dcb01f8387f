#!/bin/sh
# A session of Spark in this process runs on a JVM. Installs Debian's OpenJDK 17 where there is no Java and that needs no
# password; never fails: the tests that need it say what is missing.
set -u

if command -v java >/dev/null 2>&1 || [ -n "${JAVA_HOME:-}" ]; then exit 0; fi
exec sh "$(dirname "$0")/install_debian.sh" "install OpenJDK 17, or set JAVA_HOME" openjdk-17-jre-headless
