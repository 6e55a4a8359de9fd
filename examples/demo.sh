#!/bin/sh
# The demo of the README: a narrated sample video, indexed offline and asked what is said, written, shown, and never.
set -eu
folder=demo

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

ask() {
    printf '\n$ playhead ask %s "%s"\n' "$folder" "$1"
    playhead --offline ask "$folder" "$1"
}

[ -f "$folder/talk.mp4" ] || run python examples/make_sample.py "$folder"
run playhead --offline index "$folder"
ask "What does the speaker say about the budget for travel?"
ask "What does the slide say about the certificate?"
ask "When is a cat shown?"
ask "What does the speaker say about penguins?"
