#!/bin/sh
# All metrics of this node for node_exporter's textfile collector.
#
# usage: trivet-textfile.sh [FILE]	(default: node_exporter's usual place)
#
# Run it every 15 s or so from a timer, as root or as a member of the group
# _trivet.  The file is replaced whole, so the collector never reads half of
# one.  A daemon that does not answer has one metric left: vrrpd_up 0.
set -eu

file=${1:-/var/lib/prometheus/node-exporter/trivet.prom}
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT

${TRIVET:-trivet} metrics > "$new" || :
chmod 0644 "$new"
mv "$new" "$file"
