"""
What the package is, what it needs and what it installs.

The tools' own settings (ruff, mypy, pytest) are in ``pyproject.toml``.
"""
import re
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup

HERE = Path(__file__).parent

VERSION = re.search(r'^__version__(?:: [\w.\[\]]+)? = "([^"]+)"$',
                    (HERE / "tribler_multicast" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE).group(1)

REQUIREMENTS = [
    "pyipv8>=3.2.1",
    "aiohttp",
    # The pre-release in the pin is what makes pip take 3.0: the last full release, 2.2.3, does not fit marshmallow 4.
    "aiohttp_apispec>=3.0.0b1",
    "pony",
    "psutil",
    # Sealing: libnacl needs the system's libsodium; where there is none, PyNaCl brings its own.
    "libnacl",
    "PyNaCl",
    # Feeds: XML that strangers wrote.
    "defusedxml",
]

EXTRAS = {
    # BitTorrent in the standalone client; imported only when it is used.
    "torrent": ["libtorrent>=2.0.11,<2.1"],
    # What Tribler 8.4.3 itself needs, to test inside it. Only installed where its sources are.
    "tribler": ["ipv8-rust-tunnels", "lz4", "pillow", "pystray", "libtorrent==2.0.13", "packaging"],
    # The browser itself is the system's Chromium; axe-playwright-python brings axe-core, which checks accessibility;
    # zeroconf is what discovery is measured against.
    "test": ["pytest>=8.2", "pytest-asyncio>=0.24", "pytest-xdist", "hypothesis", "playwright", "axe-playwright-python",
             "zeroconf"],
    # What the coding is measured against, besides the system's ISA-L (libisal2). Benchmarks say what they do not find.
    "bench": ["raptorq", "zfec"],
    # New releases of these bring new rules: raise them on purpose, together with the code they complain about.
    "lint": ["ruff>=0.17,<0.18", "mypy>=2.4,<2.5"],
}

# One build for all of CPython from 3.11 on (PEP 384). A free-threaded Python has no such interface yet.
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED") and sys.implementation.name == "cpython"
NATIVE = Path("tribler_multicast", "coding", "native")

# Everything installs without a compiler: the extension is optional, so that a machine that cannot build it (no
# compiler, no headers of Python, an old one) still gets the package, and calculates with the standard library.
CODING = Extension(
    "tribler_multicast.coding._native",
    sources=sorted(path.relative_to(HERE).as_posix() for path in (HERE / NATIVE).glob("*.c")),
    depends=sorted(path.relative_to(HERE).as_posix() for path in (HERE / NATIVE).glob("*.h")),
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if ABI3 else [],
    py_limited_api=ABI3,
    extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-fvisibility=hidden"],
    optional=True,
)

setup(
    name="tribler-multicast",
    version=VERSION,
    description="Finds, verifies and shows the other Tribler nodes on the local network, with no server of any kind",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="GPL-3.0-or-later",
    author="The tribler-multicast maintainers",
    keywords=["tribler", "ipv8", "multicast", "lan", "p2p", "discovery"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Environment :: Web Environment",
        "Framework :: AsyncIO",
        "Intended Audience :: End Users/Desktop",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Communications :: File Sharing",
        "Topic :: Internet",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["tribler_multicast", "tribler_multicast.*"]),
    package_data={"tribler_multicast": ["py.typed", "page/*.html", "page/*.js", "page/*.css", "page/*.svg",
                                        "page/vendor/*", "gui_patch/ui/src/pages/*.tsx"]},
    ext_modules=[CODING],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {},
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["tribler-multicast = tribler_multicast.cli:main"]},
    zip_safe=False,
)
