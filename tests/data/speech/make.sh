#!/bin/sh
# Makes the samples of this folder: each .wav says what the .txt of its name says. Needs flite (Debian: apt install flite).
# The engine that listens to them in the demo and the tests gets all of their words; a new one has to be tried first.
set -eu
cd "$(dirname "$0")"

say() {
    flite -voice "$2" -t "$3" "$1.wav"
    printf '%s\n' "$3" > "$1.txt"
}

say weather slt "the weather is nice today and we are going to the park"
say garden rms "she opened the door and walked slowly into the garden"
say message awb "please leave a message and we will call you back"

# For the digits, a grammar and keyphrases.
say phone slt "four one seven two nine six"
say light rms "turn on the light in the kitchen"
