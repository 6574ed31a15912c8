"""
MPEG transport streams (ISO/IEC 13818-1): packets of 188 bytes, tables that say what is in which of them, and a mark on
those with which a picture begins that needs no other.
"""
from __future__ import annotations

from typing import Final

from .cut import Cut

PACKET: Final = 188
SYNC: Final = b"\x47"
PAT: Final = 0
NO_PID: Final = -1

H264: Final = 0x1b
H265: Final = 0x24
VIDEO: Final = frozenset({0x01, 0x02, 0x10, H264, H265, 0x33})
AUDIO: Final = frozenset({0x03, 0x04, 0x0f, 0x11, 0x81, 0x87})

CLOCK: Final = 90_000
WRAP: Final = (1 << 33) / CLOCK
"""Seconds after which the clock of a stream begins again."""

AUDIO_EACH: Final = 0.5
"""Seconds between places to begin where there is only sound, which begins anywhere."""


class TsScanner:
    """
    Finds the pictures that stand alone, of the first programme.
    """

    repeats_head = True
    extension = "ts"

    def __init__(self) -> None:
        """
        With nothing known.
        """
        self.head = b""
        self._rest = b""
        self._at = 0
        self._aligned = False
        self._pat = b""
        self._table = self._pid = NO_PID
        self._kind = 0
        self._cut: float | None = None

    def adopt(self, head: bytes) -> None:
        """
        Take the tables from elsewhere.
        """
        for begin in range(0, len(head) - PACKET + 1, PACKET):
            if head[begin] == SYNC[0] and head[begin + 1] & 0x40:
                self._look(head[begin:begin + PACKET], 0)

    def feed(self, position: int, data: bytes) -> list[Cut]:
        """
        Look at the packets that are whole.
        """
        if position != self._at + len(self._rest):
            self._rest, self._at, self._aligned = b"", position, False
        data = self._rest + data
        cuts: list[Cut] = []
        begin = 0
        while len(data) - begin > PACKET:
            if not self._aligned:
                begin = self._align(data, begin)
                if not self._aligned:
                    break
            count = (len(data) - begin) // PACKET
            end = begin + count * PACKET
            good = count
            syncs = data[begin:end:PACKET]
            if syncs != SYNC * count:
                good = count - len(syncs.lstrip(SYNC))
                self._aligned = False
            for number, byte in enumerate(data[begin + 1:begin + good * PACKET:PACKET]):
                if byte & 0x40:
                    start = begin + number * PACKET
                    cut = self._look(data[start:start + PACKET], self._at + start)
                    if cut is not None:
                        cuts.append(cut)
            begin += good * PACKET
        # At most what two packets need to be found again, whatever came.
        self._rest, self._at = data[begin:], self._at + begin
        return cuts

    def _align(self, data: bytes, begin: int) -> int:
        """
        Find where packets begin: two marks at their distance.
        """
        while (begin := data.find(SYNC, begin)) >= 0 and begin + PACKET < len(data):
            if data[begin + PACKET] == SYNC[0]:
                self._aligned = True
                return begin
            begin += 1
        return max(0, len(data) - PACKET) if begin < 0 else begin

    def _look(self, packet: bytes, position: int) -> Cut | None:
        """
        Look at a packet with which something begins.
        """
        pid = (packet[1] & 0x1f) << 8 | packet[2]
        if pid not in (PAT, self._table, self._pid) or packet[3] & 0xc0 or not packet[3] & 0x10:
            return None  # nothing of ours, scrambled, or without a payload
        flags, payload = 0, 4
        if packet[3] & 0x20:
            payload += 1 + packet[4]
            flags = packet[5] if packet[4] else 0
        if payload >= PACKET:
            return None
        if pid == PAT:
            self._read_pat(packet, payload)
        elif pid == self._table:
            self._read_pmt(packet, payload)
        else:
            return self._read_picture(packet[payload:], bool(flags & 0x40), position)
        return None

    @staticmethod
    def _section(packet: bytes, payload: int, table: int) -> bytes:
        """
        Get a section that is whole in one packet, without its checksum; empty when there is none.
        """
        begin = payload + 1 + packet[payload]
        if begin + 3 > PACKET or packet[begin] != table:
            return b""
        end = begin + 3 + ((packet[begin + 1] & 0x0f) << 8 | packet[begin + 2])
        return packet[begin:end - 4] if end <= PACKET else b""

    def _read_pat(self, packet: bytes, payload: int) -> None:
        """
        Find the table of the first programme.
        """
        section = self._section(packet, payload, 0)
        for at in range(8, len(section) - 3, 4):
            if section[at] or section[at + 1]:  # programme 0 is the network
                self._table = (section[at + 2] & 0x1f) << 8 | section[at + 3]
                self._pat = packet
                return

    def _read_pmt(self, packet: bytes, payload: int) -> None:
        """
        Find the first video of the programme, or its first sound.
        """
        section = self._section(packet, payload, 2)
        if len(section) < 12:
            return
        found: dict[bool, tuple[int, int]] = {}
        at = 12 + ((section[10] & 0x0f) << 8 | section[11])
        while at + 5 <= len(section):
            kind = section[at]
            if kind in VIDEO or kind in AUDIO:
                found.setdefault(kind in VIDEO, ((section[at + 1] & 0x1f) << 8 | section[at + 2], kind))
            at += 5 + ((section[at + 3] & 0x0f) << 8 | section[at + 4])
        self._pid, self._kind = found.get(True) or found.get(False) or (NO_PID, 0)
        head = self._pat + packet
        if _uncounted(head) != _uncounted(self.head):
            self.head = head

    def _read_picture(self, payload: bytes, marked: bool, position: int) -> Cut | None:
        """
        Is this a picture that stands alone?
        """
        if payload[:3] != b"\0\0\1" or len(payload) < 9:
            return None
        time = _shown(payload)
        if self._kind in AUDIO:
            if time is not None and self._cut is not None and (time - self._cut) % WRAP < AUDIO_EACH:
                return None
        elif not marked and not _stands_alone(payload[9 + payload[8]:], self._kind):
            return None
        self._cut = time
        return Cut(position, time)


def _uncounted(packets: bytes) -> list[bytes]:
    """
    Get packets without their counters, which alone differ when a table is said again.
    """
    return [packets[at:at + 3] + packets[at + 4:at + PACKET] for at in range(0, len(packets), PACKET)]


def _shown(payload: bytes) -> float | None:
    """
    Get when what begins here is shown, in seconds of the clock of the stream.
    """
    if len(payload) < 14 or not payload[7] & 0x80:
        return None
    stamp = ((payload[9] & 0x0e) << 29 | payload[10] << 22 | (payload[11] & 0xfe) << 14 | payload[12] << 7
             | payload[13] >> 1)
    return stamp / CLOCK


def _stands_alone(data: bytes, kind: int) -> bool:
    """
    Tell by the first units of a picture whether it stands alone, for those who mark nothing.
    """
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        unit = data[at + 3]
        if kind == H264 and unit & 0x1f in (5, 7):
            return True
        if kind == H265 and (unit >> 1 & 0x3f in range(16, 22) or unit >> 1 & 0x3f in (32, 33)):
            return True
        if kind in (0x01, 0x02) and unit == 0xb3:
            return True
        at = data.find(b"\0\0\1", at + 3)
    return False
