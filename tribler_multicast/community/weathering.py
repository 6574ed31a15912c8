"""
The community's part in the weather: hands on what happens, where a node wants to know it.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..protocol.core import MulticastProtocol
    from ..protocol.events import WeatherOverheard, WeatherReceived
    from .weather_room import WeatherRoom

CAPABILITY: Final = "weather"


class Weathering:
    """
    Lets a community that drives a protocol instance know the weather.
    """

    core: MulticastProtocol
    options: Mapping[str, Any]
    weather: WeatherRoom | None = None

    def weather_capabilities(self, *, wanted: bool) -> frozenset[str]:
        """
        Get what this node tells others by it.
        """
        return frozenset({CAPABILITY}) if self.weather is not None and wanted else frozenset()

    def on_weather_event(self, event: WeatherReceived | WeatherOverheard) -> None:
        """
        Hand on what a peer says, or where we only listen anybody.
        """
        if self.weather is None:
            self.core.counters.drop("no_weather")
        else:
            self.weather.take(event)

    def weather_found(self) -> None:
        """
        Hand on that a peer is new.
        """
        if self.weather is not None:
            self.weather.service.found(len(self.core.peers))

    def weather_gone(self, mid: bytes) -> None:
        """
        Hand on that a peer is gone.
        """
        if self.weather is not None:
            self.weather.service.gone(mid)

    def weather_changed(self) -> None:
        """
        Have it look again: links or settings changed.
        """
        self._overhear()
        if self.weather is not None:
            self.weather.service.changed()

    def weather_start(self) -> None:
        """
        Begin, once the LAN is open.
        """
        self._overhear()
        if self.weather is not None:
            self.weather.service.start()

    def _overhear(self) -> None:
        """
        Let what is said be heard where we only listen, as long as somebody wants to know it.
        """
        self.core.overhearing.wanted = self.weather is not None and bool(self.options.get("weather", True))

    async def weather_stop(self) -> None:
        """
        End, while the client is still there: no limit is left.
        """
        if self.weather is not None:
            await self.weather.service.close()

    def weather_counters(self) -> dict[str, Any]:
        """
        Get its counts.
        """
        if self.weather is None:
            return {}
        weather = self.weather.service.weather
        return {"weather": {**weather.counters, **{f"dropped_{reason}": count
                                                   for reason, count in weather.claims.dropped.items()}}}
