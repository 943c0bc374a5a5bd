"""What can be said of our dependencies without asking anybody: pinned by hash, complete, and of known licences.

Known vulnerabilities need the network: ``make audit``. Run by ``make check``; prints each fault, and fails if any.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parent
LISTS = ("base.txt", "dev.txt", "model.txt")
_BETWEEN = re.compile(r"\s+(?:AND|OR)\s+|;")
_SHA256 = re.compile(r"--hash=sha256:[0-9a-f]{64}$")

ALLOWED = frozenset(
    {
        "0bsd",
        "apache-2.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cnri-python",
        "isc",
        "mit",
        "mit-0",
        "mit-cmu",
        "mpl-2.0",
        "psf-2.0",
        "unlicense",
        "zlib",
    }
)
"""Licences that let anybody use Kaynak as they like; of MPL the files stay what they are."""
EXCEPTIONS = {
    # LGPL: imported as a library that anybody may replace, never copied or changed.
    "psycopg": "lgpl-3.0-only",
    "psycopg-binary": "lgpl-3.0-only",
    "psycopg-pool": "lgpl-3.0-only",
    # Permissive, but says so in words of its own.
    "pypdfium2": "bsd-3-clause, apache-2.0, dependency licenses",
}
_SPELLINGS = {
    "mit license": "mit",
    "apache software license": "apache-2.0",
    "apache license 2.0": "apache-2.0",
    "apache license, version 2.0": "apache-2.0",
    "apache 2.0": "apache-2.0",
    "bsd license": "bsd",
    "3-clause bsd license": "bsd-3-clause",
    "mozilla public license 2.0 (mpl 2.0)": "mpl-2.0",
    "isc license (iscl)": "isc",
    "python software foundation license": "psf-2.0",
    "the unlicense (unlicense)": "unlicense",
    "dfsg approved": "",  # a remark, not a licence
}


@dataclass(slots=True)
class Pinned:
    """One entry of a list.

    Attributes:
        requirement: Name, version and marker.
        hashes: SHA-256 of its files, well-formed ones only.
        oddities: Other options.
    """

    requirement: Requirement
    hashes: int = 0
    oddities: list[str] = field(default_factory=list)


def entries(text: str) -> Iterator[Pinned | str]:
    """Yields the entries of a list of requirements, and what is none as text."""
    for line in text.replace("\\\n", " ").splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        wanted, *options = re.split(r"\s+(?=--)", bare)
        try:
            entry = Pinned(Requirement(wanted))
        except ValueError:
            yield bare
            continue
        entry.hashes = sum(bool(_SHA256.match(option)) for option in options)
        entry.oddities = [option for option in options if not _SHA256.match(option)]
        yield entry


def list_faults(text: str) -> Iterator[str]:
    """Yields what is wrong with a list: whatever would install something else than what was looked at."""
    seen: dict[str, list[str]] = {}
    for entry in entries(text):
        if isinstance(entry, str):
            yield f"“{entry[:60]}” is not a pinned requirement: no options, addresses or files may stand here"
            continue
        name = entry.requirement.name
        operators = [specifier.operator for specifier in entry.requirement.specifier]
        if entry.requirement.url is not None:
            yield f"{name} comes from an address instead of an index"
        elif operators != ["=="] or "*" in str(entry.requirement.specifier):
            yield f"{name} is not pinned to one version"
        if not entry.hashes:
            yield f"{name} has no SHA-256"
        if entry.oddities:
            yield f"{name} has {entry.oddities[0][:60]}"
        seen.setdefault(canonicalize_name(name), []).append(str(entry.requirement.marker))
    for name, markers in seen.items():
        if len(set(markers)) < len(markers):
            yield f"{name} stands there twice"


def missing(wanted: list[str], text: str) -> Iterator[str]:
    """Yields the dependencies that no entry of a list satisfies."""
    pinned: dict[str, list[Version]] = {}
    for entry in entries(text):
        if isinstance(entry, Pinned):
            versions = [Version(specifier.version) for specifier in entry.requirement.specifier]
            pinned.setdefault(canonicalize_name(entry.requirement.name), []).extend(versions)
    for line in wanted:
        requirement = Requirement(line)
        found = pinned.get(canonicalize_name(requirement.name), [])
        if not any(requirement.specifier.contains(version, prereleases=True) for version in found):
            yield f"{line} is not satisfied by any entry; run “make lock”"


def licence_fault(name: str, licence: str) -> str | None:
    """Returns what is wrong with the licence of a package; None if it is allowed."""
    if EXCEPTIONS.get(name) == licence.strip().lower():
        return None
    parts = [_known(part) for part in _BETWEEN.split(licence)]
    stated = [part for part in parts if part]
    # Of alternatives one is enough; whatever else is said must be allowed part by part.
    enough = any if " OR " in licence and " AND " not in licence else all
    if stated and enough(part in ALLOWED for part in stated):
        return None
    return f"{name}: the licence “{licence[:80] or 'unknown'}” is not one of those that are allowed"


def _known(part: str) -> str:
    plain = part.strip().lower()
    return _SPELLINGS.get(plain, plain.strip("() "))


def licence_of(found: metadata.PackageMetadata) -> str:
    """Returns what a package says its licence is: an expression, else its classifiers, else a line of text."""
    expression = found.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in found.get_all("Classifier") or []
        if line.startswith("License :: ") and not line.endswith(":: OSI Approved")
    ]
    return "; ".join(classifiers) or str(found.get("License") or "").strip().partition("\n")[0]


def licence_faults(text: str) -> Iterator[str]:
    """Yields what is wrong with the licences of what a list pins and is installed here."""
    for entry in entries(text):
        if isinstance(entry, str) or not _applies(entry.requirement.marker):
            continue
        try:
            found = metadata.metadata(entry.requirement.name)
        except metadata.PackageNotFoundError:
            continue  # of a list that is not installed
        fault = licence_fault(canonicalize_name(entry.requirement.name), licence_of(found))
        if fault is not None:
            yield fault


def _applies(marker: Marker | None) -> bool:
    return marker is None or marker.evaluate()


def faults() -> Iterator[str]:
    """Yields everything that is wrong, with the list it is in."""
    texts = {name: (HERE / name).read_text(encoding="utf-8") for name in LISTS}
    for name, text in texts.items():
        yield from (f"{name}: {fault}" for fault in list_faults(text))
        yield from (f"{name}: {fault}" for fault in licence_faults(text))
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    yield from (
        f"base.txt: {one}" for one in missing(project["project"]["dependencies"] + groups["build"], texts["base.txt"])
    )
    yield from (f"dev.txt: {one}" for one in missing(groups["dev"] + groups["e2e"], texts["dev.txt"]))


def main() -> None:
    """Prints the faults."""
    found = list(faults())
    for fault in found:
        print(fault)
    if found:
        sys.exit(f"{len(found)} faults in the dependencies.")
    print("Dependencies: every one pinned by hash, none missing, licences as allowed. Vulnerabilities: make audit")


if __name__ == "__main__":
    main()
