# How a step ended, for those behind it; sourced by the scripts beside it.

# Tells the exit code, and what nothing else told because nothing could begin; and ends with it.
ended() {
    local code=$1
    case $code in
        2) output result usage ;;
        3) output result environment ;;
    esac
    output exit-code "$code"
    exit "$code"
}

# Tells an output, unless it was told.
output() {
    grep -qs "^$1=" "$GITHUB_OUTPUT" || echo "$1=$2" >>"$GITHUB_OUTPUT"
}
