#!/usr/bin/env bash
# Writes docs/operator.md: runs each command of the operator's command line with the examples `hello` and `words`.
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

# Replaces the directories of this run by those of a reader.
tidy() { sed -e "s#$bin#/usr/local/bin#g" -e "s#$here/run#/run/user/1000/brokered#g" -e "s#$here#/home/you#g"; }

say() { printf '%s\n' "$@" >>"$page"; }
# Runs each line, and records its output and its exit code.
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

say '# The operator'\''s command line' '' \
    '`brokered` inspects and controls the daemons of the user who runs it. `docs/operator.sh` writes this page: it runs each' \
    'command and records its output.' '' \
    '```sh' 'cargo install --path brokered-cli' '```' '' \
    'Each command takes `--json`. The output has colours only on a terminal, and not if `NO_COLOR` is set. `brokered --help`' \
    'lists the exit codes, which are the same for all commands.' ''
say '## List, start and inspect daemons'
show 'brokered list' \
    "brokered start hello --program $bin/hello" \
    "brokered start words -C books --program $bin/words" \
    'brokered list' \
    'brokered status hello' \
    'brokered status words'
say '`brokered path` prints the path of the endpoint. Any program that connects to a socket can use it:'
show 'python3 -c "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(99).decode().strip())" "$(brokered path hello)"' \
    'brokered path words --of log' \
    'words books kernel lock | head -2'
say '## For scripts and probes' '' '`probe` prints nothing. Its exit code is the result.'
show 'brokered wait hello --timeout 5s' 'brokered probe hello' 'brokered probe absent'
say '## How long a start takes' '' \
    '`trace` starts a daemon and shows each step: what the client does before the process exists, what the daemon does before it' \
    'is bound, the load of each state, and the first reply. `--svg FILE` draws the steps.'
show 'brokered trace words --restart' 'brokered trace hello --restart --svg start.svg' 'grep Start start.svg'
say '## When a daemon does not answer' '' \
    'A daemon that was killed leaves a stale record. The next start replaces it.'
show 'kill -9 $(brokered --json status hello | sed -n "s/.*\"pid\": \([0-9]*\),/\1/p"); while brokered probe --live hello; do :; done' \
    'brokered list' 'brokered doctor' 'brokered start hello'
say 'A daemon that is stopped (`SIGSTOP`) holds its lock and does not answer. `stop` sends `SIGTERM` to the process in the record,' \
    'if it has verified that this process is the daemon. The signal takes effect when the process continues:'
show 'kill -STOP $(brokered --json status hello | sed -n "s/.*\"pid\": \([0-9]*\),/\1/p")' \
    'brokered list --timeout 100ms' \
    'brokered probe hello --timeout 100ms' \
    'pid=$(brokered --json list --timeout 100ms | sed -n "s/.*\"recorded_pid\": \([0-9]*\),/\1/p" | head -1); (sleep 4; kill -CONT $pid) & brokered stop hello'
say '## Reload' '' \
    '`reload` asks a daemon to take over what has changed, such as its configuration, and waits for the result. `words` watches' \
    'its files by itself, and does not take reloads:'
show 'brokered reload words'
say '## The log, restart and stop'
show 'brokered log words -n 3' "brokered start words -C books --program $bin/words" 'brokered restart words' 'brokered stop words' 'brokered stop words'
say '## Instances that are no longer used' '' \
    'An instance is unused if it was not started for 30 days, or for a day if its last daemon failed or was killed and its' \
    'directory is gone.' \
    '`prune` lists these instances, and `prune --remove` removes their directories. An instance in use stays.'
show "brokered start words -C books --program $bin/words" \
    'kill -9 $(brokered --json status words | sed -n "s/.*\"pid\": \([0-9]*\),/\1/p"); while brokered probe --live words; do :; done; mv books old' \
    'brokered prune' 'brokered prune --older-than 0' 'brokered prune --older-than 0 --remove' 'brokered list'
say '## For service managers'
show "brokered unit systemd hello --program $bin/hello" 'brokered unit kubernetes hello'
say '`brokered unit launchd` prints a property list. It is experimental: it has never been used on macOS.' '' \
    '## More' '' \
    '`brokered completions` prints a completion script for bash, zsh, fish, elvish or PowerShell. `brokered man` prints the manual' \
    'page.'
show 'brokered --help'
cd - >/dev/null
cp "$page" docs/operator.md
