#!/usr/bin/env bash
# Lays the programs of a release out by processor, as the Dockerfile takes them: lay-out.sh FOLDER-WITH-ARCHIVES FOLDER
set -euo pipefail

archives=$1 out=$2
for pair in amd64:x86_64 arm64:aarch64; do
    mkdir -p "$out/${pair%%:*}"
    for program in piopiy-mock piopiy-receiver; do
        for archive in "$archives/$program"-*-"${pair##*:}"-unknown-linux-musl.tar.gz; do
            tar -xzf "$archive" -C "$out/${pair%%:*}" "$program" THIRD-PARTY-LICENSES
        done
    done
done
