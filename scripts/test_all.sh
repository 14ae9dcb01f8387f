#!/usr/bin/env bash
# Everything that has to hold before a change lands: the quick checks first, then every test.
# All of them run even when one fails, so that one look shows everything; the tests' summaries are repeated at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()

for target in lint types layers docs test test-slow test-torch test-stores test-airflow test-spark; do
    printf '\n=== %s\n' "$target"
    "${MAKE:-make}" --no-print-directory "$target" 2>&1 | tee -a "$log" || failed+=("$target")
done

printf '\n=== summary\n'
grep -E '^(FAILED|ERROR|SKIPPED) ' "$log" || true
grep -E '^=+ .*(passed|failed|error).* =+$' "$log" || tail -n 5 "$log"
if ((${#failed[@]})); then
    printf 'failed: %s\n' "${failed[*]}"
    exit 1
fi
echo "all passed"
