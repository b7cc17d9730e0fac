#!/usr/bin/env bash
# Runs `piopiy-mock load` with reports for people and for programs, compares with a baseline where there is one, and ends as that does.
set -euo pipefail

# What stands in $1, as words: quotes are understood, and nothing is expanded.
words=()
split() {
    words=()
    if [[ -z ${1//[[:space:]]/} ]]; then
        return
    fi
    local parsed
    parsed=$(mktemp)
    if ! xargs printf '%s\0' <<<"$1" >"$parsed"; then
        echo '::error title=piopiy-mock::the input args or compare-args has a quote without its other one'
        exit 2
    fi
    while IFS= read -r -d '' word; do
        words+=("$word")
    done <"$parsed"
    rm -f "$parsed"
}

dir=$INPUT_REPORT_DIR
echo "report-dir=$dir" >>"$GITHUB_OUTPUT"
code=0
split "$INPUT_ARGS"
piopiy-mock load "$INPUT_URL" \
    --report "json=$dir/load.json" --report "html=$dir/load.html" --report "hlog=$dir/load.hlog" \
    ${words[@]+"${words[@]}"} || code=$?
if [[ $code == 0 && -n $INPUT_BASELINE ]]; then
    split "$INPUT_COMPARE_ARGS"
    piopiy-mock load compare "$INPUT_BASELINE" "$dir/load.json" \
        --report "markdown=$dir/changes.md" ${words[@]+"${words[@]}"} || code=$?
fi
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
exit "$code"
