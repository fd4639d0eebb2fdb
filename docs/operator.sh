#!/usr/bin/env bash
# Writes docs/operator.md: `hello` and `words` through all that the operator's tool does, by doing it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet -p hello -p words
cargo build --quiet -p brokered-cli
bin=$(mktemp -d)
here=$(mktemp -d /tmp/bXXXXXX)
page=$(mktemp)
trap 'brokered stop hello >/dev/null 2>&1 || :; brokered stop words >/dev/null 2>&1 || :; rm -rf "$bin" "$here" "$page"' EXIT
for program in brokered hello words; do
    cp "$target/debug/$program" "$bin/"
done
export PATH=$bin:$PATH BROKERED_RUNTIME_DIR=$here/run
unset XDG_RUNTIME_DIR NO_COLOR CLICOLOR_FORCE BROKERED_INSTANCE
mkdir "$here/books"
cp README.md docs/*.md "$here/books/"
cd "$here"

# The places of this run are not of the reader's machine.
tidy() { sed -e "s#$bin#/usr/local/bin#g" -e "s#$here/run#/run/user/1000/brokered#g" -e "s#$here#/home/you#g"; }

say() { printf '%s\n' "$@" >>"$page"; }
# Runs each line as a person would, and shows what it says and how it ends.
show() {
    say '' '```console'
    local line code
    for line in "$@"; do
        printf '$ %s\n' "$line" | tidy >>"$page"
        code=0
        bash -c "$line" >out 2>&1 </dev/null || code=$?
        tidy <out >>"$page"
        [ $code -eq 0 ] || printf '(exit code %s)\n' $code >>"$page"
    done
    say '```' ''
}

say '# The operator'\''s tool' '' \
    '`brokered` looks after the daemons of the user who runs it. All below was printed by running it: `docs/operator.sh` writes this page.' '' \
    '```sh' 'cargo install --path brokered-cli' '```' '' \
    'Every command takes `--json`. Output is coloured on a terminal alone, and `NO_COLOR` is heeded. The exit codes are the same' \
    'everywhere, and stand below `brokered --help`.' ''
say '## Start, look, talk'
show 'brokered list' \
    "brokered start hello --program $bin/hello" \
    "brokered start words -C books --program $bin/words" \
    'brokered list' \
    'brokered status hello' \
    'brokered status words'
say 'Where a daemon listens is a path, for anything that talks to a socket:'
show 'python3 -c "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(99).decode().strip())" "$(brokered path hello)"' \
    'brokered path words --of log' \
    'words books kernel lock | head -2'
say '## For scripts and probes' '' 'Nothing is printed; the exit code tells.'
show 'brokered wait hello --timeout 5s' 'brokered probe hello' 'brokered probe nobody'
say '## What a start spends its time on' '' \
    '`trace` starts a daemon and shows each step: what the client does before there is a process, what the daemon does before it is' \
    'bound, each state, and the first reply. `--svg FILE` draws it.'
show 'brokered trace words --restart' 'brokered trace hello --restart --svg start.svg' 'head -n 2 start.svg | tail -n 1'
say '## In the worst minute' '' 'A daemon that was killed leaves a record, which is history: whoever starts it next takes everything over.'
show 'kill -9 $(brokered --json status hello | sed -n "s/.*\"pid\": \([0-9]*\),/\1/p"); while brokered probe --live hello; do :; done' \
    'brokered list' 'brokered doctor' 'brokered start hello'
say 'One that is stopped holds its lock and does not answer. It is asked to end by a signal, to that process and to nobody else:'
show 'kill -STOP $(brokered --json status hello | sed -n "s/.*\"pid\": \([0-9]*\),/\1/p")' \
    'brokered list --timeout 100ms' \
    'brokered probe hello --timeout 100ms' \
    'pid=$(brokered --json list --timeout 100ms | sed -n "s/.*\"recorded_pid\": \([0-9]*\),/\1/p" | head -1); (sleep 4; kill -CONT $pid) & brokered stop hello'
say '## Output'
show 'brokered log words -n 3' "brokered start words -C books --program $bin/words" 'brokered restart words' 'brokered stop words' 'brokered stop words'
say '## For service managers'
show "brokered unit systemd hello --program $bin/hello" 'brokered unit kubernetes hello'
say '`brokered unit launchd` writes a property list, too. It is experimental: nobody has run it.' '' \
    '## More' '' \
    '`brokered completions bash` (zsh, fish, elvish, powershell) and `brokered man` print what their names say.'
show 'brokered --help'
cd - >/dev/null
cp "$page" docs/operator.md
