#!/bin/sh
# tests/in_namespace.sh COMMAND [ARGUMENT]...
#
# Runs COMMAND in network, mount and process namespaces of its own: nothing it sends reaches the real network, and
# nothing it starts or mounts stays behind. As root directly, as an ordinary user through a user namespace where the
# kernel allows one. The exit status, standard input and output are COMMAND's; INT, TERM and HUP are passed on.
#
# Inside, TM_NAMESPACE=1 is set, lo is up and /run is empty. Where no namespace can be made COMMAND runs as it is, with
# the reason in TM_NAMESPACE_REFUSED; tests/lan skip themselves then and say that reason.

if [ $# -eq 0 ]; then
    echo "usage: $0 COMMAND [ARGUMENT]..." >&2
    exit 2
fi
if [ "${TM_NAMESPACE:-}" = 1 ]; then
    exec "$@"
fi

# What happens inside before COMMAND: if any of it fails, COMMAND is better off where it is.
prepare='mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up'

# The first process inside. It does not become COMMAND: the kernel keeps signals without a handler from a process 1, so
# that COMMAND could not be ended. Shells start background commands with INT ignored and no input: both are undone.
supervise='
'"$prepare"' || exit 125
child=
early=
for name in INT TERM HUP; do
    trap "[ -n \"\$child\" ] && kill -$name \$child || early=$name" $name
done
exec 3<&0
reset="env --default-signal=INT,QUIT"
$reset true 2>/dev/null || reset=
TM_NAMESPACE=1 $reset "$@" <&3 3<&- &
child=$!
[ -z "$early" ] || kill -$early $child
while :; do
    wait $child
    status=$?
    kill -0 $child 2>/dev/null && continue
    # A signal ends wait with a status of its own. When COMMAND ended at that moment, its own can be asked for again.
    wait $child
    again=$?
    [ $again = 127 ] || status=$again
    exit $status
done'

refused=
chosen=
for user in "" -Ur; do
    if [ -z "$user" ] && [ "$(id -u)" != 0 ]; then
        continue
    fi
    # No process namespace without a /proc of its own: process ids and /proc would not fit together.
    for kind in "-nmpf --kill-child --mount-proc" "-nm"; do
        # shellcheck disable=SC2086
        if said=$(unshare $user $kind sh -c "$prepare" 2>&1); then
            chosen="$user $kind"
            break 2
        fi
        [ -n "$refused" ] || refused=$(printf '%s' "$said" | head -n 1)
    done
done
if [ -z "$chosen" ]; then
    TM_NAMESPACE_REFUSED=${refused:-unshare failed without a word}
    export TM_NAMESPACE_REFUSED
    # On one network only one test at a time: nodes find each other.
    PYTEST_XDIST_AUTO_NUM_WORKERS=0
    export PYTEST_XDIST_AUTO_NUM_WORKERS
    exec "$@"
fi

# When this shell is killed, unshare goes with it, and with unshare everything inside (--kill-child).
tie=
setpriv --pdeathsig KILL true 2>/dev/null && tie="setpriv --pdeathsig KILL"

# unshare itself holds INT and TERM off while it waits, so the signal goes to its child, the process 1 inside.
# A terminal sends INT to the whole group, COMMAND included: once more does no harm to a shell, but would to COMMAND.
outer=
early=
pass() {
    [ -n "$outer" ] || { early=$1; return; }
    inner=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null)
    # shellcheck disable=SC2086
    kill "-$1" ${inner:-$outer} 2>/dev/null
}
trap 'pass TERM' TERM
trap 'pass HUP' HUP
if [ ! -t 0 ]; then
    trap 'pass INT' INT
else
    trap : INT
fi

exec 3<&0
# shellcheck disable=SC2086
$tie unshare $chosen sh -c "$supervise" sh "$@" <&3 3<&- &
outer=$!
exec 3<&-
[ -z "$early" ] || pass "$early"
while :; do
    wait $outer
    status=$?
    kill -0 $outer 2>/dev/null && continue
    wait $outer
    again=$?
    [ $again = 127 ] || status=$again
    exit $status
done
