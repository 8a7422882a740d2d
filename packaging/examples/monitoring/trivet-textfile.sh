#!/bin/sh
# All metrics of this node for node_exporter's textfile collector.
#
# usage: trivet-textfile.sh [FILE]	(default: node_exporter's usual place)
#
# Run it every 15 s or so from a timer, as a member of the group _trivet or as
# root.  The file is replaced whole, so the collector never reads half of one.
# A daemon that does not answer is left out, and trivet_answers says so.
# Needs socat and jq.
set -eu

file=${1:-/var/lib/prometheus/node-exporter/trivet.prom}
run=${TRIVET_RUN_DIR:-/run/trivet}
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT

echo '# TYPE trivet_answers gauge' >> "$new"
for daemon in vrrpd checkd proxyd; do
	answer=$(printf '{"method":"org.trivet.daemon.FormatMetrics"}\0' |
		socat -t5 - "UNIX-CONNECT:$run/$daemon.sock" 2>/dev/null | tr -d '\0') || answer=
	if printf '%s' "$answer" | jq -je '.parameters.text' >> "$new" 2>/dev/null; then
		up=1
	else
		up=0
	fi
	printf 'trivet_answers{daemon="%s"} %d\n' "$daemon" "$up" >> "$new"
done
chmod 0644 "$new"
mv "$new" "$file"
