#!/bin/sh
# Sets up what the profile needs: the core environment, the stages' environments, and the models if that is wanted.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
usage="usage: ./bootstrap.sh [--cache-models | --skip-cache] [--profile NAME]
  --cache-models  fetch the profile's models too
  --skip-cache    do not; without either, you are asked at a terminal, and nothing is fetched elsewhere"
models=ask
while [ $# -gt 0 ]; do
    case $1 in
    --cache-models) models=yes ;;
    --skip-cache) models=no ;;
    --profile)
        [ $# -gt 1 ] || { echo "$usage" >&2 && exit 2; }
        export REEL_PROFILE="$2"
        shift
        ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "$usage" >&2 && exit 2 ;;
    esac
    shift
done
"$root/reel" envs ensure
"$root/reel" doctor --remember >/dev/null || echo "note: \`./reel doctor\` found something wrong" >&2
case $models in
yes) exec "$root/reel" models fetch ;;
ask) exec "$root/reel" models fetch --ask ;;
esac
