#!/bin/sh
# Sets this machine up: builds the core environment, then runs `./reel setup` with all arguments.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
case ${1:-} in
-h | --help)
    cat <<'usage'
usage: ./bootstrap.sh [--cache-models | --skip-cache] [--profile NAME] [--languages LANGUAGES]
                      [--accept-code MODELS]
  --cache-models  fetch the profile's models too
  --skip-cache    do not; without either, you are asked at a terminal, and nothing is fetched elsewhere
  --profile       the profile to set up; without it, the one that suits this machine
  --languages     also the models for these spoken languages: en,hi
  --accept-code   models whose own Python code a script may use without a question: 'indictrans2-*'
usage
    exit 0
    ;;
esac
exec "$root/reel" setup "$@"
