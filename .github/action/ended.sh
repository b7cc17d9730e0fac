# How a step ended, for those behind it; sourced by the scripts beside it.

# Tells the exit code, and what nothing else told because nothing could begin; and ends with it.
ended() {
    local code=$1
    local word
    word=$(word_of "$code")
    [[ -z $word ]] || output result "$word"
    output exit-code "$code"
    exit "$code"
}

# What an exit code says that no report does.
word_of() {
    case $1 in
        0 | 1 | 4) ;;
        2) echo usage ;;
        3) echo environment ;;
        130 | 143) echo interrupted ;;
        *) echo internal ;;
    esac
}

# Tells an output, in one line, unless it was told.
output() {
    grep -qs "^$1=" "$GITHUB_OUTPUT" || echo "$1=${2//[$'\r\n']/ }" >>"$GITHUB_OUTPUT"
}

# An error that people see; whatever it is about stays one command.
error() {
    local text=${1//%/%25}
    text=${text//$'\r'/%0D}
    echo "::error title=piopiy-mock::${text//$'\n'/%0A}"
}
