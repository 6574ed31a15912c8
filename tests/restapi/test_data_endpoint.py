"""
The data of transfers by HTTP, while it arrives as slowly as the test wants. (Real transfers: tests/lan/test_coded.py.)
"""
from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError

from tribler_multicast.restapi import data_endpoint
from tribler_multicast.transfer.content.index import Entry
from tribler_multicast.transfer.content.manifest import Content, Manifest
from tribler_multicast.transfer.content.tree import EMPTY_ROOT
from tribler_multicast.transfer.errors import StoreError
from tribler_multicast.transfer.service.transfer import ACTIVE, DONE, FAILED, RECEIVER, Transfer, TransferPeer

from .conftest import KEY, Api

if TYPE_CHECKING:
    from aiohttp import ClientResponse

DATA = random.Random(5).randbytes(1_000_000)
FILM = 600_000


class HandMovedTransfer(Transfer):
    """
    A transfer of which there is as much as the test says.
    """

    def __init__(self, id: str, folder: bool = False) -> None:  # noqa: A002
        """
        Begin with nothing.
        """
        super().__init__(id, b"\x01" * 32, RECEIVER)
        self.state = ACTIVE
        self.there = 0
        self.known = True
        self.reads = 0
        self.entries = ([Entry("film.mp4", FILM), Entry("sub/page.html", len(DATA) - FILM)] if folder
                        else [Entry("film.mp4", len(DATA))])
        self.is_folder = folder
        self.more = asyncio.Condition()

    async def come(self, there: int, state: str = ACTIVE) -> None:
        """
        Let so much be there.
        """
        async with self.more:
            self.there, self.state = there, state
            self.more.notify_all()

    @property
    def manifest(self) -> Manifest | None:
        """
        What it is.
        """
        content = Content(self.is_folder, "the film", len(DATA), 0, len(self.entries), EMPTY_ROOT)
        return Manifest(content, 0, b"", b"") if self.known else None

    @property
    def path(self) -> Path:
        """
        Nowhere.
        """
        return Path("/nowhere/film.mp4")

    @property
    def files(self) -> list[tuple[str, int, int]] | None:
        """
        Its files.
        """
        if not self.known:
            return None
        starts = [0, FILM]
        return [(entry.path, start, entry.size) for entry, start in zip(self.entries, starts, strict=False)]

    def available(self, start: int, length: int) -> int:
        """
        What is there.
        """
        return max(0, min(start + length, self.there) - start)

    async def read(self, start: int, length: int) -> bytes:
        """
        Read what is there, as soon as something is.
        """
        self.reads += 1
        async with self.more:
            await self.more.wait_for(lambda: self.available(start, length) or self.state == FAILED)
        if self.state == FAILED:
            raise StoreError("the disk is on fire")
        return DATA[start:start + self.available(start, length)]

    progress = up = down = 0.0
    total_up = total_down = 0
    rank: int | None = None
    peers: list[TransferPeer] = []


class HandMovedService:
    """
    What has transfers.
    """

    def __init__(self) -> None:
        """
        Have two.
        """
        self.publications: dict[bytes, Any] = {}
        self.transfers = {"0" * 16: HandMovedTransfer("0" * 16), "f" * 16: HandMovedTransfer("f" * 16, folder=True)}


@pytest.fixture
def film(api: Api) -> HandMovedTransfer:
    """
    A film that arrives.
    """
    service = HandMovedService()
    api.context.control.parts.coded = SimpleNamespace(service=service, started=True)  # type: ignore[assignment]
    return service.transfers["0" * 16]


@pytest.fixture
def folder(api: Api, film: HandMovedTransfer) -> HandMovedTransfer:
    """
    A folder that arrives.
    """
    return api.context.control.parts.transfers.transfers["f" * 16]  # type: ignore[union-attr, return-value]


async def get(api: Api, path: str = "/data", method: str = "GET", transfer: str = "0" * 16,
              **headers: str) -> tuple[ClientResponse, bytes]:
    """
    Get something to its end.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{api.url}/api/multicast/transfers/{transfer}{path}"
    async with api.session.request(method, url, headers={"X-Api-Key": KEY, **named}) as response:
        return response, await response.read()


async def test_all_of_it_is_given_with_its_length_and_type(api: Api, film: HandMovedTransfer) -> None:
    await film.come(len(DATA), DONE)
    response, body = await get(api)
    assert (response.status, body == DATA) == (200, True)
    assert response.headers["Content-Length"] == str(len(DATA))
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(("header", "some"), [("bytes=0-99", slice(0, 100)), ("bytes=-7", slice(-7, None)),
                                              ("bytes=999990-", slice(999_990, None)),
                                              ("bytes=300000-800000", slice(300_000, 800_001))])
async def test_a_range_is_that_part(api: Api, film: HandMovedTransfer, header: str, some: slice) -> None:
    await film.come(len(DATA), DONE)
    response, body = await get(api, Range=header)
    assert (response.status, body == DATA[some]) == (206, True)
    start = range(len(DATA))[some].start
    assert response.headers["Content-Range"] == f"bytes {start}-{start + len(body) - 1}/{len(DATA)}"


async def test_a_range_behind_the_end_is_416_and_tells_the_length(api: Api, film: HandMovedTransfer) -> None:
    response, _ = await get(api, Range="bytes=1000000-")
    assert (response.status, response.headers["Content-Range"]) == (416, "bytes */1000000")


async def test_head_tells_the_same_headers_before_anything_is_there(api: Api, film: HandMovedTransfer) -> None:
    response, body = await get(api, method="HEAD")
    assert (response.status, body, response.headers["Content-Length"]) == (200, b"", str(len(DATA)))
    ranged, _ = await get(api, method="HEAD", Range="bytes=1-2")
    assert (ranged.status, ranged.headers["Content-Length"]) == (206, "2")
    await film.come(len(DATA))
    full, _ = await get(api)
    same = ("ETag", "Content-Type", "Content-Length", "Content-Security-Policy", "Content-Disposition")
    assert [response.headers[name] for name in same] == [full.headers[name] for name in same]
    assert film.reads > 0


async def test_a_version_that_is_known_is_not_sent_again(api: Api, film: HandMovedTransfer) -> None:
    await film.come(len(DATA))
    response, _ = await get(api, method="HEAD")
    etag = response.headers["ETag"]
    assert etag.startswith('"' + film.content_id.hex())
    assert (await get(api, If_None_Match=etag))[0].status == 304
    assert (await get(api, If_Range=etag, Range="bytes=0-0"))[1] == DATA[:1]
    response, body = await get(api, If_Range='"other"', Range="bytes=0-0")
    assert (response.status, len(body)) == (200, len(DATA))


async def test_what_is_not_there_yet_is_waited_for(api: Api, film: HandMovedTransfer) -> None:
    url = f"{api.url}/api/multicast/transfers/{film.id}/data"
    async with api.session.get(url, headers={"X-Api-Key": KEY}) as response:
        assert response.status == 200
        await film.come(1000)
        assert await response.content.readexactly(1000) == DATA[:1000]
        await film.come(400_000)
        assert await response.content.readexactly(399_000) == DATA[1000:400_000]
        await film.come(len(DATA), DONE)
        assert await response.content.read() == DATA[400_000:]


async def test_which_files_there_are_is_waited_for(api: Api, film: HandMovedTransfer) -> None:
    film.known = False
    asking = asyncio.ensure_future(get(api))
    await asyncio.sleep(0)
    film.known = True
    await film.come(len(DATA), DONE)
    response, body = await asyncio.wait_for(asking, 10)
    assert (response.status, body == DATA) == (200, True)


async def test_a_transfer_that_fails_cuts_the_connection(api: Api, film: HandMovedTransfer) -> None:
    await film.come(1000)
    url = f"{api.url}/api/multicast/transfers/{film.id}/data"
    async with api.session.get(url, headers={"X-Api-Key": KEY}) as response:
        assert await response.content.readexactly(1000) == DATA[:1000]
        await film.come(1000, FAILED)
        with pytest.raises(ClientError):
            await response.content.read()


async def test_one_that_has_failed_says_why(api: Api, film: HandMovedTransfer) -> None:
    film.error = "no room on the disk"
    await film.come(1000, FAILED)
    assert await api.refused("GET", f"/api/multicast/transfers/{film.id}/data") == (409, "no room on the disk")


async def test_a_client_that_leaves_ends_the_reading(api: Api, film: HandMovedTransfer,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_endpoint, "LOOK", 0.02)
    monkeypatch.setattr(data_endpoint, "MAX_READERS", 1)
    response = await api.session.get(f"{api.url}/api/multicast/transfers/{film.id}/data", headers={"X-Api-Key": KEY})
    assert (await get(api, Range="bytes=0-0"))[0].status == 503
    response.close()
    await film.come(100)
    async with asyncio.timeout(10):
        while (await get(api, Range="bytes=0-0"))[0].status == 503:
            await asyncio.sleep(0.02)


async def test_a_client_that_does_not_read_does_not_fill_the_memory(api: Api, film: HandMovedTransfer,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    film.entries, given = [Entry("film.mp4", 1 << 30)], 0

    async def read(start: int, length: int) -> bytes:
        nonlocal given
        given += length
        return bytes(length)

    monkeypatch.setattr(film, "read", read)
    async with api.session.get(f"{api.url}/api/multicast/transfers/{film.id}/data", headers={"X-Api-Key": KEY}):
        before = -1
        while given != before:
            before = given
            await asyncio.sleep(0.3)
        assert 0 < given < 32 << 20  # what the kernel holds on both sides


async def test_a_folder_gives_its_files_each_by_its_path(api: Api, folder: HandMovedTransfer) -> None:
    await folder.come(len(DATA), DONE)
    response, body = await get(api, "/data/film.mp4", transfer="f" * 16)
    assert (response.status, body == DATA[:FILM], response.headers["Content-Type"]) == (200, True, "video/mp4")
    page, body = await get(api, "/data/sub/page.html", transfer="f" * 16, Range="bytes=0-9")
    assert (page.status, body) == (206, DATA[FILM:FILM + 10])
    assert page.headers["ETag"] != response.headers["ETag"]
    for path, status in (("/data", 409), ("/data/none", 404), ("/data/sub", 404)):
        assert (await api.refused("GET", f"/api/multicast/transfers/{'f' * 16}{path}"))[0] == status


async def test_what_could_run_is_no_page_of_this_origin(api: Api, folder: HandMovedTransfer) -> None:
    await folder.come(len(DATA), DONE)
    response, _ = await get(api, "/data/sub/page.html", transfer="f" * 16)
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("sandbox;")


async def test_the_token_of_a_transfer_opens_its_data_and_nothing_else(api: Api, film: HandMovedTransfer) -> None:
    await film.come(len(DATA), DONE)
    _, shown = await api.call("GET", f"/api/multicast/transfers/{film.id}")
    token = shown["token"]

    async def status(path: str, method: str = "GET", **kwargs: Any) -> int:  # noqa: ANN401
        async with api.session.request(method, f"{api.url}{path}", **kwargs) as response:
            return response.status

    root, own, other = "/api/multicast", f"/transfers/{film.id}", f"/transfers/{'f' * 16}"
    assert await status(f"{root}{own}/data?token={token}") == 200
    assert await status(f"{root}{own}/data?token={token}", "HEAD") == 200
    assert await status(f"{root}{own}/data/film.mp4?token={token}", headers={"Range": "bytes=0-9"}) == 206
    assert await status(f"{root}{own}/data/none?token={token}") == 404
    assert await status(f"{root}{own}/data", headers={"Cookie": f"api_key={token}"}) == 401
    for path in (f"{own}/data", f"{own}/data?token=", f"{own}/data?token={token[:-1]}", f"{other}/data?token={token}",
                 f"{own}?token={token}", f"{own}/data/../../../status?token={token}", f"/status?token={token}",
                 f"/events?token={token}", f"/transfers?token={token}", f"/status?key={token}",
                 f"{own}/data?key={token}"):
        assert await status(root + path) == 401, path
    for method in ("DELETE", "PATCH", "POST", "PUT"):
        assert await status(f"{root}{own}?token={token}", method, json={}) == 401
        assert await status(f"{root}{own}/data?token={token}", method, json={}) in (401, 405)


async def test_tokens_of_another_start_are_no_good(api: Api, film: HandMovedTransfer) -> None:
    from tribler_multicast.restapi.tokens import Tokens  # noqa: PLC0415

    token = Tokens().token(film.id)
    async with api.session.get(f"{api.url}/api/multicast/transfers/{film.id}/data?token={token}") as response:
        assert response.status == 401


async def test_a_node_that_stops_hangs_up(api: Api, film: HandMovedTransfer) -> None:
    await film.come(1000)
    url = f"{api.url}/api/multicast/transfers/{film.id}/data"
    async with api.session.get(url, headers={"X-Api-Key": KEY}) as response:
        await response.content.readexactly(1000)
        api.context.control.close()
        api.endpoint.close()
        with pytest.raises(ClientError):
            await asyncio.wait_for(response.content.read(), 10)


async def test_a_transfer_that_is_none_is_404(api: Api, film: HandMovedTransfer) -> None:
    for id in ("1" * 16, "1" * 15, "x", "0" * 16 + "0"):  # noqa: A001
        assert (await api.refused("GET", f"/api/multicast/transfers/{id}/data"))[0] == 404
        assert (await api.refused("GET", f"/api/multicast/transfers/{id}"))[0] == 404


async def test_a_node_without_transfers_says_so(api: Api) -> None:
    assert (await api.refused("GET", f"/api/multicast/transfers/{'0' * 16}/data"))[0] == 404
    for method, path in (("GET", "/transfers"), ("GET", "/publications"), ("GET", f"/transfers/{'0' * 16}")):
        assert (await api.refused(method, f"/api/multicast{path}"))[0] == 503


async def test_whoever_plays_what_still_arrives_says_so_by_itself(api: Api, film: HandMovedTransfer) -> None:
    async def activity() -> str:
        return (await api.call("GET", "/api/multicast/activity"))[1]["class"]

    await film.come(100)
    async with api.session.get(f"{api.url}/api/multicast/transfers/{'0' * 16}/data",
                               headers={"X-Api-Key": KEY}) as response:
        await response.content.readexactly(100)
        assert await activity() == "on_demand"
        await film.come(200, DONE)
        assert await activity() == "idle", "what is all here needs no network"
        await film.come(200, ACTIVE)
        assert await activity() == "on_demand"
    async with asyncio.timeout(30):
        while await activity() != "idle":
            await asyncio.sleep(0.01)
