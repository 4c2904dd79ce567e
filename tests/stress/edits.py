"""Edit modules at random, and reload them after each edit.

NAME is one of the standard library, or a package with all of its modules (`email.*`), the standard
library's or another that is installed; there definitions move from one to another as well.

Afterwards a module must say what it says in a process that has imported the edited source alone,
and what was kept must be what it has. Where the source cannot be imported, the reload must
fail, or find what was there before, and leave everything as it was. The last edit leads back to
the original.

    python tests/stress/edits.py [--edits N] [--seed N] [NAME ...]
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHILD = Path(__file__).with_name("edits_child.py")
IDENTITIES = ("keep", "replace")
SECONDS = 600
"""For one module."""

MODULES = """
    argparse ast base64 bdb cmd codeop colorsys configparser contextlib copy copyreg csv
    dataclasses difflib dis enum filecmp fileinput fnmatch fractions ftplib functools genericpath
    getopt gettext glob graphlib gzip heapq hmac imaplib inspect ipaddress json.decoder
    json.encoder keyword linecache locale logging logging.config logging.handlers lzma mailbox
    netrc ntpath nturl2path numbers opcode operator optparse pathlib pdb pickle pickletools
    pkgutil plistlib poplib posixpath pprint profile pstats py_compile pyclbr queue quopri
    random reprlib rlcompleter runpy sched selectors shelve shlex shutil smtplib socketserver ssl
    stat statistics string stringprep struct subprocess symtable tabnanny tarfile tempfile textwrap
    timeit tokenize trace traceback tracemalloc types typing unittest.mock uuid warnings wave
    weakref webbrowser zipapp zipfile html.parser http.client http.cookies http.cookiejar
    http.server urllib.parse urllib.request urllib.robotparser xml.dom.minidom
    concurrent.futures.thread curses.textpad _strptime _weakrefset
    asyncio.* concurrent.* email.* html.* http.* json.* logging.* unittest.* urllib.* wsgiref.*
    xml.* zoneinfo.*
"""


def run(name: str, seed: int, edits: int, identity: str) -> list[str]:
    """What is not as it should be, in lines."""
    command = [sys.executable, "-X", "faulthandler", str(CHILD)]
    try:
        done = subprocess.run(
            [*command, name, str(seed), str(edits), identity],
            capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [f"{name}, seed {seed}, {identity}: not done after {SECONDS} seconds"]
    if done.returncode != 0:
        return [f"{name}, seed {seed}, {identity}: exit status {done.returncode}", done.stderr]
    return done.stdout.splitlines()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", default=MODULES.split())
    parser.add_argument("--edits", type=int, default=15, help="for each module")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tasks = list(itertools.product(options.names, IDENTITIES))
    bad = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda task: run(task[0], options.seed, options.edits, task[1]), tasks)
        for number, ((name, identity), found) in enumerate(zip(tasks, results, strict=True), 1):
            bad += bool(found)
            print("\n".join(found) or f"{number}/{len(tasks)}  {name}, {identity}: ok", flush=True)
    print(f"{len(tasks)} names and modes, {options.edits} reloads each: {bad} with differences")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
