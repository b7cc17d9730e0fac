#!/usr/bin/env bash
# Makes the archives of a release: pack.sh TARGET FOLDER-WITH-PROGRAMS FOLDER-FOR-ARCHIVES
#
# One for each program that was built, with the program at its root, as `.github/action/install.sh` takes it, its manual pages and
# completions, its licences, and those of what is linked into it: $LICENCES, which `cargo xtask release --licences` prints.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

main() {
    [[ $# -eq 3 ]] || fail "usage: pack.sh TARGET FOLDER-WITH-PROGRAMS FOLDER-FOR-ARCHIVES"
    local target=$1 built=$2 out=$3 program packed=0
    mkdir -p "$out"
    for program in piopiy-mock piopiy-receiver; do
        if [[ -x $built/$program ]]; then
            pack "$program" "$built/$program" "$target" "$out"
            packed=$((packed + 1))
        fi
    done
    [[ $packed -gt 0 ]] || fail "$built has neither program"
}

pack() {
    local program=$1 file=$2 target=$3 out=$4 version folder archive shell command
    version=$("$file" --version | awk '{ print $2 }')
    archive=$out/$program-$version-$target.tar.gz
    folder=$(mktemp -d)
    cp "$file" "$here/LICENSE-APACHE" "$here/LICENSE-MIT" "$folder/"
    cp "${LICENCES:?names the file with the licences of what is linked}" "$folder/THIRD-PARTY-LICENSES"
    mkdir "$folder/completions" "$folder/man"
    for shell in bash zsh fish elvish powershell; do
        "$file" completions "$shell" >"$folder/completions/$program.$shell"
    done
    "$file" man >"$folder/man/$program.1"
    pages "$file" "$folder/man/$program"
    (cd "$folder" && archived *) | gzip -n >"$archive"
    rm -r "$folder"
    echo "$archive"
}

# Without the folder itself and with nobody's name, lest unpacking change what it is unpacked into.
archived() {
    if tar --version | grep -q GNU; then
        tar --owner=0 --group=0 --numeric-owner -cf - -- "$@"
    else
        tar --uid 0 --gid 0 --numeric-owner -cf - -- "$@"
    fi
}

# The manual page of each command below one, and of those below it: pages PROGRAM FILES [COMMAND]...
pages() {
    local file=$1 to=$2 command
    shift 2
    for command in $(commands "$file" "$@"); do
        "$file" man "$@" "$command" >"$to-$command.1"
        pages "$file" "$to-$command" "$@" "$command"
    done
}

# The commands that `--help` lists.
commands() {
    local file=$1
    shift
    "$file" "$@" --help | awk '/^Commands:/ { listed = 1; next } /^\r?$/ { listed = 0 } listed && /^  [a-z]/ && $1 != "help" { print $1 }'
}

fail() {
    echo "error: $1" >&2
    exit 1
}

main "$@"
