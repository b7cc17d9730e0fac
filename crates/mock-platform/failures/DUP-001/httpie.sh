#!/bin/bash
# DUP-001 the same bytes twice, one after the other, with HTTPie.
#
# Usage: bash httpie.sh [URL]
# Needs: bash, sed, HTTPie (`http`). Ids are fresh in each run; EXACT_IDS=1 sends the very ids.
# It shows the answers; README.md tells which are wrong. HTTPie writes header lines in an order of its own.
set -u
URL=${1:-${URL:-http://127.0.0.1:33609/webhook/cdr}}
rest=${URL#*://}
SCHEME=${URL%%://*}
HOST=${rest%%/*}
HOST=${HOST##*@}
case $rest in */*) TARGET=/${rest#*/} ;; *) TARGET=/ ;; esac

# An id of the same shape: a digit or letter becomes another one, unless EXACT_IDS is set.
fresh_id() {
    if [ -n "${EXACT_IDS:-}" ]; then printf %s "$1"; return; fi
    local old=$1 new= char at
    for ((at = 0; at < ${#old}; at++)); do
        char=${old:at:1}
        if [[ ${#old} -eq 36 && ($at -eq 14 || $at -eq 19) ]]; then new+=$char
        elif [[ ${#old} -eq 36 && $char == [0-9a-f] ]]; then printf -v char %x $((RANDOM % 16)); new+=$char
        elif [[ $char == [0-9] ]]; then new+=$((RANDOM % 10))
        elif [[ $char == [a-z] ]]; then char=abcdefghijklmnopqrstuvwxyz; new+=${char:RANDOM % 26:1}
        elif [[ $char == [A-Z] ]]; then char=ABCDEFGHIJKLMNOPQRSTUVWXYZ; new+=${char:RANDOM % 26:1}
        else new+=$char
        fi
    done
    printf %s "$new"
}
id0=$(fresh_id 'ad94a91a-1d01-4cad-be71-688ecba757cb')
id1=$(fresh_id 'c353c03d-6c2c-4bc5-969d-6f7776e9efab')
with_fresh_ids() { LC_ALL=C sed -e "s/ad94a91a-1d01-4cad-be71-688ecba757cb/$id0/g" -e "s/c353c03d-6c2c-4bc5-969d-6f7776e9efab/$id1/g"; }

# 
{ printf %s '{"to":12025550102,"appid":2222224,"time":1767225575885,"start_time":1767225575,"end_time":1767225598,"from":447700900288,"direction":"inbound","duration":0,"extra_params":"{ticket: T-703575}","cmiuuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","call_rate":0,"balance":"899998.320796","conversation_uuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","leg":"a","status":"missed"}' | with_fresh_ids | http --path-as-is --print=hb 'POST' "$SCHEME://$HOST""$TARGET"'' 'User-Agent:piopiy-mock/0.1.0' 'Content-Type:application/json' 'Accept:*/*'; }
{ printf %s '{"to":12025550102,"appid":2222224,"time":1767225575885,"start_time":1767225575,"end_time":1767225598,"from":447700900288,"direction":"inbound","duration":0,"extra_params":"{ticket: T-703575}","cmiuuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","call_rate":0,"balance":"899998.320796","conversation_uuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","leg":"a","status":"missed"}' | with_fresh_ids | http --path-as-is --print=hb 'POST' "$SCHEME://$HOST""$TARGET"'' 'User-Agent:piopiy-mock/0.1.0' 'Content-Type:application/json' 'Accept:*/*'; }
