#!/usr/bin/env bash
# Runs `piopiy-mock check` with reports for people and for programs, and ends as it does.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/ended.sh"
. "$(dirname "${BASH_SOURCE[0]}")/words.sh"

dir=$INPUT_REPORT_DIR
output report-dir "$dir"
code=0
split args "$INPUT_ARGS"
piopiy-mock check "$INPUT_URL" \
    --report "json=$dir/report.json" --report "junit=$dir/junit.xml" --report "html=$dir/report.html" \
    ${words[@]+"${words[@]}"} || code=$?
ended "$code"
