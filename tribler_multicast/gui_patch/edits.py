"""
What is added to the sources of Tribler's user interface: a page of its own, `#/local-network`, its entry in the menu, a
section in the settings, and what lets the page's module find the cells of Tribler's tables. Only additions: taken out
again, the file is as it was.
"""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDED: Final = Path(__file__).with_name("ui")
"""The files that are new, in the folders they go to."""

KNOWN: Final = "Tribler 8.4.3"
"""What these edits were made for."""


class Edit(NamedTuple):
    """
    One addition: `text`, behind `after`, which must be in the file once.
    """

    after: str
    text: str


TITLES: Final = {"en_US": ("Popular", "Local network"), "es_ES": ("Populares", "Red local"),
                 "hi_IN": ("लोकप्रिय", "स्थानीय नेटवर्क"), "ko_KR": ("인기있는", "로컬 네트워크"),
                 "pt_BR": ("Popular", "Rede local"), "ru_RU": ("Популярное", "Локальная сеть"),
                 "zh_CN": ("流行", "本地网络")}
"""Language -> what the entry above says in it, and what ours does."""

EDITS: Final[Mapping[str, tuple[Edit, ...]]] = {
    "src/Router.tsx": (
        Edit('import Interface from "./pages/Settings/Interface";\n',
             'import {LocalNetwork, LocalNetworkSettings} from "./pages/LocalNetwork";\n'),
        Edit("""                path: "popular",
                element: <Popular />,
            },
""", """            {
                path: "local-network",
                element: <LocalNetwork />,
            },
"""),
        Edit("""                path: "settings/interface",
                element: <Interface />,
            },
""", """            {
                path: "settings/local-network",
                element: <LocalNetworkSettings />,
            },
"""),
    ),
    "src/config/menu.ts": (
        Edit('import {IconProps} from "@radix-ui/react-icons/dist/types";\n',
             'import {isLocalNetworkThere, LocalNetworkIcon} from "@/pages/LocalNetwork";\n'),
        Edit("""        to: "/popular",
    },
""", """    {
        title: "LocalNetwork",
        icon: LocalNetworkIcon,
        to: "/local-network",
        hide: () => !isLocalNetworkThere(),
    },
"""),
        Edit("""                to: "/settings/interface",
            },
""", """            {
                title: "LocalNetwork",
                to: "/settings/local-network",
            },
"""),
    ),
    "src/pages/Downloads/Peers.tsx": (
        Edit("""            return (
                <span""", " data-local-network-ip={row.original.ip}"),
    ),
    "src/components/ui/simple-table.tsx": (
        Edit("                                        key={row.id}\n",
             "                                        data-local-network-row={row.id}\n"),
    ),
    **{f"public/locales/{language}.json": (Edit(f'    "Popular": "{theirs}",\n', f'    "LocalNetwork": "{ours}",\n'),)
       for language, (theirs, ours) in TITLES.items()},
}
"""File -> what is added to it."""


def added_files() -> dict[str, bytes]:
    """
    The files that are new: where they go -> content.
    """
    return {path.relative_to(ADDED).as_posix(): path.read_bytes() for path in sorted(ADDED.rglob("*.tsx"))}
