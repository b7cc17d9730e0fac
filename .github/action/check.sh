#!/usr/bin/env bash
# Runs `piopiy-mock check` with reports for people and for programs, and ends as it does.
set -euo pipefail

words=()
if [[ -n ${INPUT_ARGS//[[:space:]]/} ]]; then
    # Quotes are understood, and nothing is expanded: what is passed here is no program.
    parsed=$(mktemp)
    if ! xargs printf '%s\0' <<<"$INPUT_ARGS" >"$parsed"; then
        echo '::error title=piopiy-mock::the input args has a quote without its other one'
        exit 2
    fi
    while IFS= read -r -d '' word; do
        words+=("$word")
    done <"$parsed"
    rm -f "$parsed"
fi

dir=$INPUT_REPORT_DIR
code=0
piopiy-mock check "$INPUT_URL" \
    --report "json=$dir/report.json" --report "junit=$dir/junit.xml" --report "html=$dir/report.html" \
    ${words[@]+"${words[@]}"} || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
exit "$code"
