#!/bin/bash
# DUP-001 the same bytes twice, one after the other, with curl.
#
# Usage: bash curl.sh [URL]
# Needs: bash, curl, sed. Ids are fresh in each run; EXACT_IDS=1 sends the very ids. OBSERVE_URL shows the effects.
# curl writes header lines in an order of its own, and programs that start together are not quite side by side: raw.sh
# sends the very bytes. Ends with 1 for REPRODUCED, 0 for NOT REPRODUCED, 2 where curl alone cannot tell.
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
OBSERVE_URL=${OBSERVE_URL:-}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
again=0 unsure=0
# Statuses of what was sent, sorted; and how many effects an id has that were not kept aside.
statuses() { cat "$work"/status-* 2>/dev/null | sort | tr '\n' ' '; rm -f "$work"/status-*; }
effects() { curl -sS "$OBSERVE_URL" | grep -F "\"$1\"" | grep -Evc '"quarantined": *true'; }

echo 'case ""'
{ printf %s '{"to":12025550102,"appid":2222224,"time":1767225575885,"start_time":1767225575,"end_time":1767225598,"from":447700900288,"direction":"inbound","duration":0,"extra_params":"{ticket: T-703575}","cmiuuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","call_rate":0,"balance":"899998.320796","conversation_uuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","leg":"a","status":"missed"}' | with_fresh_ids | curl -sS -o /dev/null -m 30 -w '%{http_code}\n' --path-as-is -X 'POST' -H 'User-Agent: piopiy-mock/0.1.0' -H 'Content-Type: application/json' -H 'Accept: */*' -H 'Expect:' --data-binary @- "$SCHEME://$HOST""$TARGET"'' > "$work/status-1"; }
{ printf %s '{"to":12025550102,"appid":2222224,"time":1767225575885,"start_time":1767225575,"end_time":1767225598,"from":447700900288,"direction":"inbound","duration":0,"extra_params":"{ticket: T-703575}","cmiuuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","call_rate":0,"balance":"899998.320796","conversation_uuid":"c353c03d-6c2c-4bc5-969d-6f7776e9efab","leg":"a","status":"missed"}' | with_fresh_ids | curl -sS -o /dev/null -m 30 -w '%{http_code}\n' --path-as-is -X 'POST' -H 'User-Agent: piopiy-mock/0.1.0' -H 'Content-Type: application/json' -H 'Accept: */*' -H 'Expect:' --data-binary @- "$SCHEME://$HOST""$TARGET"'' > "$work/status-2"; }
now=$(statuses); was='200 409 '
echo "  answers: $now"; echo "    failed run: $was"
[ "$now" = "$was" ] && again=$((again + 1))

if [ $again -gt 0 ]; then echo "REPRODUCED: $again"; exit 1; fi
if [ $unsure -gt 0 ]; then echo 'CANNOT TELL from this alone: see README.md and raw.sh'; exit 2; fi
echo 'NOT REPRODUCED'
