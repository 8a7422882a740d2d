#!/bin/sh
# check_port.sh PORT: does something listen on it?  The last line printed is what
# `trivet why` shows.
[ -n "$1" ] || { echo "which port?"; exit 2; }
if [ -z "$(ss -Hltn "sport = :$1")" ]; then
	echo "port $1 is not used"
	exit 1
fi
