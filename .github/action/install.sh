#!/usr/bin/env bash
# Puts `piopiy-mock` on the path of the steps to come: a release whose checksum is known, or built from the source here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$RUNNER_TEMP/piopiy-mock
mkdir -p "$root/bin"

. "$here/ended.sh"

main() {
    case ${INPUT_COMMAND:-check} in
        check | load) ;;
        *) fail "the input command is '$INPUT_COMMAND', and can be check or load" 2 ;;
    esac
    local version=${INPUT_VERSION:-} archive sha256
    version=${version#v}
    if [[ $version != source ]]; then
        # Without a version that of this action, where its checksum is known: nobody gets another than he asked for.
        archive=piopiy-mock-${version:-$(own_version)}-$(target).tar.gz
        if [[ -n $version ]] || known | awk '{ print $2 }' | grep -qxF "$archive"; then
            sha256=${INPUT_SHA256:-$(known | awk -v archive="$archive" '$2 == archive { print $1 }')}
            [[ -n $sha256 ]] || fail "no checksum is known for $archive: give the input sha256, or another version"
            release "$archive" "$sha256"
            return
        fi
    fi
    source_build
}

# The version of the source that this action is part of.
own_version() {
    sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../../Cargo.toml" | head -n 1
}

# SHA-256 and name of each archive of a release, oldest first.
known() {
    grep -v '^#' "$here/checksums.txt" || true
}

target() {
    case "$(uname -s)-$(uname -m)" in
        Linux-x86_64) echo x86_64-unknown-linux-musl ;;
        Linux-aarch64 | Linux-arm64) echo aarch64-unknown-linux-musl ;;
        Darwin-x86_64) echo x86_64-apple-darwin ;;
        Darwin-arm64) echo aarch64-apple-darwin ;;
        # There is no archive for any other: it is built from source.
        *) echo "$(uname -s)-$(uname -m)" ;;
    esac
}

release() {
    local archive=$1 sha256=$2 version
    version=${archive#piopiy-mock-}
    version=${version%"-$(target).tar.gz"}
    local releases=${RELEASES:-${GITHUB_SERVER_URL:-https://github.com}/$ACTION_REPOSITORY/releases/download}
    curl --proto "${RELEASES_PROTOCOL:-=https}" --fail --silent --show-error --location --retry 3 \
        --output "$root/$archive" "$releases/v$version/$archive" || fail "$archive could not be fetched from $releases/v$version"
    local found
    found=$( (sha256sum "$root/$archive" 2>/dev/null || shasum -a 256 "$root/$archive") | awk '{ print $1 }')
    [[ $found == "$sha256" ]] || fail "$archive has the checksum $found, and not $sha256: it is not installed"
    tar -xzf "$root/$archive" -C "$root/bin" || fail "$archive could not be unpacked into $root/bin"
    installed "$archive, checksum compared"
}

source_build() {
    command -v cargo >/dev/null || fail "no release is known for $(target), and there is no cargo to build with: install Rust first"
    cargo install --quiet --locked --path "$here/../../crates/mock-platform" --root "$root" --force \
        --profile "${BUILD_PROFILE:-release}" || fail "piopiy-mock could not be built from source: see what cargo says above"
    installed "built from source"
}

installed() {
    echo "$root/bin" >>"$GITHUB_PATH"
    echo "$("$root/bin/piopiy-mock" --version) ($1)"
}

fail() {
    error "$1"
    ended "${2:-3}"
}

main
