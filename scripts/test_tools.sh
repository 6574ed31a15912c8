#!/bin/sh
# scripts/test_tools.sh
#
# Says which programs the tests would like and do not find; as root on Debian or Ubuntu it installs them first (APT=no:
# it does not). Never fails: without them the tests concerned are skipped, with the reason.

# A browser that runs: on Ubuntu chromium-browser may be a script that only asks for a snap.
browser() {
    chromium --version || chromium-browser --version || google-chrome --version
}

# Playwright brings a program of its own, which needs a library that a small Debian has not.
driver() {
    set -- .venv/lib/python3*/site-packages/playwright/driver/node
    [ ! -x "$1" ] || "$1" --version
}

missing() {
    command -v ip >/dev/null && command -v tc >/dev/null || echo iproute2
    command -v nft >/dev/null || echo nftables
    browser >/dev/null 2>&1 || echo chromium
    driver >/dev/null 2>&1 || echo libatomic1
    command -v aria2c >/dev/null || echo aria2
    command -v transmission-daemon >/dev/null || echo transmission-daemon
    command -v ffmpeg >/dev/null || echo ffmpeg
}

packages=$(missing | tr '\n' ' ')
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && [ "${APT:-yes}" != no ] && command -v apt-get >/dev/null; then
    echo "Installing what the tests need: $packages" >&2
    # shellcheck disable=SC2086
    sh "$(dirname "$0")/apt_install.sh" $packages
    packages=$(missing | tr '\n' ' ')
fi
[ -z "$packages" ] || echo "Some tests will be skipped; they need: ${packages% }" >&2
exit 0
