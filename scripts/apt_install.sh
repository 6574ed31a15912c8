#!/bin/sh
# scripts/apt_install.sh PACKAGE...
#
# Installs Debian packages as root, quietly, one after the other so that one that is not to be had does not keep the
# others away. Exit status 0 when all are installed. Bounded in time; waits for another apt-get that is at work.
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 1
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND

apt() {
    timeout 900 apt-get -o DPkg::Lock::Timeout=120 -qq "$@" </dev/null >/dev/null 2>&1
}

# On Ubuntu some packages are but a name for a snap, which would not run here.
is_snap() {
    apt-get -s install "$1" 2>/dev/null </dev/null | grep -Eq '^Inst (snapd |[^ ]+ \(.*snap[0-9])'
}

apt update
missing=0
for package in "$@"; do
    is_snap "$package" && missing=1 && continue
    apt install --yes --no-install-recommends "$package" || missing=1
done
exit $missing
