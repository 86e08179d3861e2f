#!/bin/sh
# An ffmpeg that finds in a film the tracks that the film's own text names, and keeps count of the films it was asked of.
case "$*" in
-version) echo "ffmpeg version 7.1-fake"; exit 0 ;;
*-filters | *-encoders) echo " T.C ass libx264"; exit 0 ;;
esac
for last; do :; done
echo "$last" >>"$(dirname "$0")/asked"
cat "${last#file:}" >&2
exit 1
