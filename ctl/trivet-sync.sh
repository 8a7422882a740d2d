#!/bin/sh
# trivet-sync - what `trivet sync` runs (trivet(8)): this node's configuration to the others.
#
# The directory goes over by rsync(1) and ssh(1) beside the other node's own.  There it is looked
# at, put in its place, checked by that node's trivet and only then read; what does not pass the
# check goes away again, and the node never had another configuration.
set -eu

dir=/etc/trivet
rsh=${TRIVET_RSH:-ssh -o BatchMode=yes}
dry=

usage() {
	echo "usage: trivet sync [--dry-run] [--dir DIR] [NODE...]" >&2
	exit 2
}

# On the other node, with the arguments DIR and DRY.  A node's own is kept: local/ and sync.nodes.
there='
set -eu
dir=$1 dry=$2 new=$1.sync before=$1.before
for own in local sync.nodes; do
	rm -rf "$new/$own"
	[ ! -e "$dir/$own" ] || cp -a "$dir/$own" "$new/$own"
done
if diff -r "$dir" "$new" >/dev/null 2>&1; then
	rm -rf "$new"
	echo "the same already"
	exit 0
fi
if [ "$dry" = yes ]; then
	diff -rq "$dir" "$new" || :
	rm -rf "$new"
	exit 0
fi
rm -rf "$before"
mv "$dir" "$before" && mv "$new" "$dir"
back() {
	mv "$dir" "$new" && mv "$before" "$dir" && rm -rf "$new"
}
if ! said=$(trivet check "$dir/trivet.conf" 2>&1); then
	back
	echo "$said"
	echo "refused: it has errors there; nothing changed" >&2
	exit 1
fi
# Nobody runs (3): the file is there for the next start.
rc=0; trivet status --plugin >/dev/null 2>&1 || rc=$?
if [ "$rc" != 3 ] && ! said=$(trivet reload 2>&1); then
	back
	echo "$said"
	echo "refused by a daemon; nothing changed" >&2
	exit 1
fi
echo "changed"
'

while [ $# -gt 0 ]; do
	case $1 in
	--dry-run) dry=yes ;;
	--dir) [ $# -gt 1 ] || usage; dir=$2; shift ;;
	--) shift; break ;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done
if [ $# -eq 0 ]; then
	[ -r "$dir/sync.nodes" ] || { echo "trivet sync: no nodes given, and no $dir/sync.nodes" >&2; exit 2; }
	# shellcheck disable=SC2046 # a list of words
	set -- $(sed 's/#.*//' "$dir/sync.nodes")
fi
command -v rsync >/dev/null || { echo "trivet sync: rsync is not installed" >&2; exit 1; }

# What is wrong here is not sent: the others would only refuse it.
if ! trivet check "$dir/trivet.conf" >/dev/null 2>&1; then
	echo "trivet sync: $dir/trivet.conf has errors (trivet check)" >&2
	exit 1
fi

failed=0
for node; do
	# shellcheck disable=SC2086 # the remote shell is words
	if said=$(rsync -a --delete --exclude=/local/ --exclude=/sync.nodes -e "$rsh" \
		"$dir/" "$node:$dir.sync/" 2>&1 &&
		printf '%s' "$there" | $rsh "$node" sh -s -- "$dir" "${dry:-no}" 2>&1); then
		echo "$node: $said"
	else
		echo "$said" | sed "s/^/$node: /" >&2
		failed=1
	fi
done
exit $failed
