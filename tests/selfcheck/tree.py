"""A source tree as the rules see it: which files there are, and C++ without its comments and texts."""

import re
import subprocess
from pathlib import Path

SKIPPED_FOLDERS = {".git", ".cache", ".vscode", ".idea", "build", "__pycache__"}

CPP_TOKEN = re.compile(
    r'R"(?P<mark>[^()\\\s]{0,16})\((?P<raw>.*?)\)(?P=mark)"'  # a raw string
    r'|(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<include>^[ \t]*#[ \t]*include[^\n]*)'  # its path is not a text
    r'|(?P<text>"(?:\\.|[^"\\\n])*")'
    r"|(?P<digits>[0-9][0-9a-fA-FxX']*)"  # so that 1'000 opens no character
    r"|(?P<character>'(?:\\.|[^'\\\n])+')",
    re.DOTALL | re.MULTILINE,
)


def code_only(source):
    """The C++ source with comments and texts blanked out; line numbers stay as they are."""

    def blank(match):
        found = match.group(0)
        if match.group("include") is not None or match.group("digits") is not None:
            return found
        return re.sub(r"[^\n]", " ", found)

    return CPP_TOKEN.sub(blank, source)


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self._texts = {}
        self.files = self._list()

    def _list(self):
        """Paths relative to the root: what git knows or would add, else everything but build products."""
        if (self.root / ".git").exists():
            command = ["git", "-c", "safe.directory=*", "-C", str(self.root)]
            command += ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
            try:
                listed = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
                return sorted({name for name in listed if name and (self.root / name).is_file()})
            except (OSError, subprocess.CalledProcessError):
                pass  # no git here, or not its repository: a plain walk finds the same in a clean tree
        found = []
        for path in self.root.rglob("*"):
            relative = path.relative_to(self.root)
            if path.is_file() and not SKIPPED_FOLDERS.intersection(relative.parts) and path.suffix != ".pyc":
                found.append(relative.as_posix())
        return sorted(found)

    def matching(self, *folders, suffixes=None):
        """Files in one of the folders (all when none is named) with one of the suffixes."""
        for name in self.files:
            if folders and not any(name.startswith(folder + "/") for folder in folders):
                continue
            if suffixes is None or Path(name).suffix in suffixes:
                yield name

    def text(self, name):
        """The text of a file; empty for one that is not text, such as a fuzz input."""
        if name not in self._texts:
            raw = (self.root / name).read_bytes()
            try:
                self._texts[name] = "" if b"\0" in raw else raw.decode("utf-8")
            except UnicodeDecodeError:
                self._texts[name] = ""
        return self._texts[name]

    def lines(self, name):
        return enumerate(self.text(name).splitlines(), start=1)

    def code_lines(self, name):
        return enumerate(code_only(self.text(name)).splitlines(), start=1)

    def cmake_lists(self):
        """(path, text without comments) of every CMakeLists.txt."""
        for name in self.files:
            if Path(name).name == "CMakeLists.txt":
                yield name, re.sub(r"#[^\n]*", "", self.text(name))
