#!/usr/bin/env bash
# Runs `piopiy-mock load` with reports for people and for programs, compares with a baseline where there is one, and ends as that does.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/ended.sh"
. "$(dirname "${BASH_SOURCE[0]}")/words.sh"

dir=$INPUT_REPORT_DIR
output report-dir "$dir"
code=0
split compare-args "$INPUT_COMPARE_ARGS"
compare_words=(${words[@]+"${words[@]}"})
split args "$INPUT_ARGS"
piopiy-mock load "$INPUT_URL" \
    --report "json=$dir/load.json" --report "html=$dir/load.html" --report "hlog=$dir/load.hlog" \
    ${words[@]+"${words[@]}"} || code=$?
if [[ $code == 0 && -n $INPUT_BASELINE ]]; then
    piopiy-mock load compare "$INPUT_BASELINE" "$dir/load.json" \
        --report "markdown=$dir/changes.md" ${compare_words[@]+"${compare_words[@]}"} || code=$?
    # The load itself has passed; what is told last counts.
    word=$(word_of "$code")
    [[ -z $word ]] || echo "result=$word" >>"$GITHUB_OUTPUT"
fi
ended "$code"
