"""
What the page says is in its table, and what is in the table is said.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tribler_multicast.page.serve import FOLDER, on_demand, page_files

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = re.compile(r"_(zero|one|two|few|many|other)$")
IMPORT = re.compile(r'^(?:import\b[^;"]*|export \{[^}]*\} from )"([^"]+)"|import\("([^"]+)"\)', re.MULTILINE)
LINE = re.compile(r'^    (\w+): "((?:[^"\\]|\\.)*)",$', re.MULTILINE)
TABLE = dict(LINE.findall((FOLDER / "strings.en.js").read_text(encoding="utf-8")))
OTHERS = {file.name.split(".")[1]: dict(LINE.findall(file.read_text(encoding="utf-8")))
          for file in FOLDER.glob("strings.*.js") if file.name != "strings.en.js"}
NAMES = {ENDINGS.sub("", name) for name in TABLE} | set(TABLE)


def values(text: str) -> set[str]:
    """
    What is put into a text.
    """
    return set(re.findall(r"\{\w+\}", text))


def sources() -> list[Path]:
    """
    The modules that say something.
    """
    return [file for file in FOLDER.glob("*.js") if file.name != "strings.js"
            and not file.name.startswith(("tribler", "strings."))]


def test_everything_that_is_said_is_in_the_table() -> None:
    said = {name for file in sources() for name in re.findall(r'\bt\("(\w+)"', file.read_text(encoding="utf-8"))}
    assert len(said) > 80
    assert said - NAMES == set()


def test_every_name_in_the_table_occurs_in_the_modules() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in sources())
    beginnings = set(re.findall(r"`(\w+?_)\$\{", text))
    spoken = [name for name in TABLE if not any(name.startswith(begin) for begin in beginnings)]
    unused = [name for name in spoken
              if not any(f'"{each}"' in text for each in (name, ENDINGS.sub("", name), re.sub(r"_(of|do)$", "", name)))]
    assert unused == []


def test_values_of_a_text_are_the_same_for_one_and_for_many() -> None:
    for name, text in TABLE.items():
        if name.endswith("_one") and f"{name[:-4]}_other" in TABLE:
            assert set(re.findall(r"\{(\w+)\}", text)) <= set(re.findall(r"\{(\w+)\}", TABLE[f"{name[:-4]}_other"]))


def test_every_language_says_all_of_it_with_the_same_values() -> None:
    assert set(OTHERS) == {"es", "nl"}
    for language, table in OTHERS.items():
        assert table.keys() == TABLE.keys(), language
        for name, text in table.items():
            assert values(text) == values(TABLE[name]), (language, name)


def test_modules_import_nothing_from_elsewhere_and_the_page_stays_light() -> None:
    files = page_files()
    for name, (file, _) in files.items():
        if file.suffix == ".js":
            text = file.read_text(encoding="utf-8")
            for found in IMPORT.findall(text):
                target = "".join(found)
                assert target.startswith("./"), (name, target)
                assert (file.parent / target).is_file(), (name, target)
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|unsafeHTML|document\.write|\beval\(", text) \
                or name.startswith(("vendor/", "tribler")), name
    loaded = [file for name, (file, _) in files.items() if name not in on_demand()]
    assert sum(file.stat().st_size for file in loaded) < 250_000
    later = "vendor/hls.js"
    assert [name for name, (file, _) in files.items() if later in file.read_text(encoding="utf-8")] == ["live.js"]
