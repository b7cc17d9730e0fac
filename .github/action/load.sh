#!/usr/bin/env bash
# Runs `piopiy-mock load` with reports for people and for programs, compares with a baseline where there is one, and ends as that does.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/words.sh"

dir=$INPUT_REPORT_DIR
echo "report-dir=$dir" >>"$GITHUB_OUTPUT"
code=0
split args "$INPUT_ARGS"
piopiy-mock load "$INPUT_URL" \
    --report "json=$dir/load.json" --report "html=$dir/load.html" --report "hlog=$dir/load.hlog" \
    ${words[@]+"${words[@]}"} || code=$?
if [[ $code == 0 && -n $INPUT_BASELINE ]]; then
    split compare-args "$INPUT_COMPARE_ARGS"
    piopiy-mock load compare "$INPUT_BASELINE" "$dir/load.json" \
        --report "markdown=$dir/changes.md" ${words[@]+"${words[@]}"} || code=$?
fi
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
exit "$code"
