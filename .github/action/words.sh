# Sourced by the scripts beside it, behind ended.sh: an input as words. Quotes are understood, and nothing is expanded: what is passed here is no program.

# Puts what stands in $2, the input named $1, into the array `words`.
split() {
    words=()
    if [[ -z ${2//[[:space:]]/} ]]; then
        return
    fi
    local parsed
    parsed=$(mktemp)
    if ! xargs printf '%s\0' <<<"$2" >"$parsed"; then
        error "the input $1 has a quote without its other one in the same line (inside quotes a backslash is no escape)"
        ended 2
    fi
    while IFS= read -r -d '' word; do
        words+=("$word")
    done <"$parsed"
    rm -f "$parsed"
}
