"""
What libtorrent is told of a torrent when it is added.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...torrent_files.making import bencode
from .placing import incomplete_folder
from .sources import LIMITS, PAD_FILE, keep_to_the_lan

if TYPE_CHECKING:
    from .records import Record


def file_paths(info: Any) -> list[tuple[int, str]]:  # noqa: ANN401
    """
    Number and path of each file in a torrent that is on the disk.
    """
    files = info.files()
    return [(index, files.file_path(index)) for index in range(files.num_files())
            if not files.file_flags(index) & PAD_FILE]


def torrent_content(info: Any, trackers: list[str]) -> bytes:  # noqa: ANN401
    """
    A ``.torrent`` file with the metadata as it came, byte for byte.
    """
    urls = [[url.encode(errors="replace")] for url in trackers]
    announce = b"13:announce-list" + bencode(urls) if urls else b""
    return b"d" + announce + b"4:info" + bytes(info.info_section()) + b"e"


def of_record(lt: Any, record: Record, total: tuple[int, int] = (0, 0)) -> Any:  # noqa: ANN401
    """
    What to add for a record. Raises RuntimeError when libtorrent doesn't understand what was kept.
    """
    if record.whole:
        parameters = lt.load_torrent_buffer(record.content, LIMITS)
        parameters.save_path = str(record.folder)
        # All pieces are there, and are checked before each is sent for the first time. Nothing is ever asked for: what
        # turns out to be changed must not be written over.
        parameters.flags = lt.torrent_flags.seed_mode | lt.torrent_flags.upload_mode
        # Names on the disk may not be what libtorrent makes of those in the torrent.
        parameters.renamed_files = {index: path for (index, made), (path, _, _) in
                                    zip(file_paths(parameters.ti), record.files, strict=True) if made != path}
    else:
        if record.resume:
            parameters = lt.read_resume_data(record.resume, LIMITS)
        elif record.content:
            parameters = lt.load_torrent_buffer(record.content, LIMITS)
        else:
            parameters = lt.parse_magnet_uri(f"magnet:?xt=urn:btih:{record.infohash.hex()}")
        parameters.save_path = str(incomplete_folder(record.folder, record.infohash))
        parameters.flags = lt.torrent_flags.update_subscribe
    return finished(lt, record, parameters, total)


def finished(lt: Any, record: Record, parameters: Any, total: tuple[int, int] = (0, 0)) -> Any:  # noqa: ANN401
    """
    What holds for every torrent.
    """
    # Not auto-managed: what is there is active, and libtorrent never pauses one to begin another.
    parameters.flags |= lt.torrent_flags.update_subscribe | lt.torrent_flags.apply_ip_filter
    parameters.upload_limit = record.up_limit or -1
    parameters.download_limit = record.down_limit or -1
    if any(total):
        parameters.total_uploaded, parameters.total_downloaded = total
    if record.lan_only:
        keep_to_the_lan(lt, parameters)
    return parameters
