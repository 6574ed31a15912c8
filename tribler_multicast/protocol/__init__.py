"""What is said on the LAN, and when: bytes in, bytes and events out. No socket, no clock: `now` is an argument."""
