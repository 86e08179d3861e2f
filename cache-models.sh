#!/bin/sh
# Fetches models by family: runs `./reel models fetch` with the names of the families' models and all other arguments.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
usage="usage: ./cache-models.sh [--all] [--whisperx] [--pyannote] [--demucs] [--nllb] [--indictrans2] [--mlx] [--nemo]
                         [--profile NAME] [--languages LANGUAGES] [--ask] [--offline] [MODEL...]
Without any of these: the models of the profile. \`./reel models list\` shows all models."
count=$#
while [ "$count" -gt 0 ]; do # takes each argument from the front, and puts what it stands for at the end
    word=$1
    shift
    count=$((count - 1))
    case $word in
    --whisperx) set -- "$@" faster-whisper-large-v3 'align-*' punkt-tab ;;
    --pyannote) set -- "$@" 'pyannote-*' ;;
    --demucs) set -- "$@" 'demucs-*' ;;
    --nllb) set -- "$@" 'nllb-*' ;;
    --indictrans2) set -- "$@" 'indictrans2-*' ;;
    --mlx) set -- "$@" 'mlx-whisper-*' ;;
    --nemo) set -- "$@" 'parakeet-*' 'canary-qwen*' ;;
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    *) set -- "$@" "$word" ;;
    esac
done
exec "$root/reel" models fetch "$@"
