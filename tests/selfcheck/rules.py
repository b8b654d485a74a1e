"""The rules. Each takes a Tree and yields one line per violation: `path:line: what is wrong`."""

import ast
import re
from pathlib import Path, PurePosixPath

CPP = {".cpp", ".hpp"}
SOURCES = CPP | {".py", ".cmake", ".sh"}
PRODUCT = ("mesh", "nodes", "cli")

# What each layer of mesh/ may include besides itself. mesh/README.md draws the same.
LAYERS = {
    "base": set(),
    "event": {"base"},
    "core": {"base", "event"},
    "spool": {"base", "event"},
    "transport": {"base", "event"},
    "runtime": {"base", "event", "core", "spool", "transport"},
    "api": {"base", "event", "core", "runtime"},
}
# Which top-level folders a top-level folder may use.
FOLDERS = {
    "mesh": {"mesh"},
    "nodes": {"mesh", "nodes"},
    "cli": {"mesh", "cli"},
    "tests": {"mesh", "nodes", "cli", "tests"},
    "examples": {"mesh", "examples"},
}
LONGEST_FILE = 500

TOP_LEVEL = {
    "CMakeLists.txt", "CMakePresets.json", "README.md", "CHANGELOG.md", "LICENSE", "dev",
    "mesh", "nodes", "cli", "config", "tests", "systemd", "docs", "cmake", "clients", "examples",
}  # fmt: skip


def folder_of_layer(tree):
    """Layer name -> its folder, from the legion_layer() calls; the layers of mesh/ are known without."""
    folders = {layer: "mesh/" + layer for layer in LAYERS}
    for name, text in tree.cmake_lists():
        for layer in re.findall(r"legion_layer\(\s*(\w+)", text):
            folders[layer] = PurePosixPath(name).parent.as_posix()
    return folders


def may_use(user, used):
    """Whether a file of folder `user` may use the layer in folder `used`."""
    user_parts, used_parts = user.split("/"), used.split("/")
    if user_parts[0] == "cli" and used == "nodes/config":
        return True  # `legion-cli config check` is legion-node's own check; docs/adr says why
    if used_parts[0] not in FOLDERS.get(user_parts[0], FOLDERS["tests"]):
        return False
    if user_parts[0] != "mesh" or used_parts[0] != "mesh" or user_parts[1] == used_parts[1]:
        return True
    return used_parts[1] in LAYERS.get(user_parts[1], set())


def include_direction(tree):
    """Includes run one way between layers, and a quoted include stays in its folder."""
    folders = folder_of_layer(tree)
    for name in tree.matching(*PRODUCT, "tests", suffixes=CPP):
        for number, line in tree.code_lines(name):
            layered = re.match(r"\s*#\s*include\s*[<\"]legion/(\w+)/", line)
            if layered:
                layer = layered.group(1)
                if layer not in folders:
                    yield f"{name}:{number}: there is no layer '{layer}'"
                elif not may_use(name, folders[layer]):
                    yield f"{name}:{number}: must not include from '{layer}'"
                continue
            quoted = re.match(r"\s*#\s*include\s*\"([^\"]+)\"", line)
            if not quoted:
                continue
            path = quoted.group(1)
            if ".." in path.split("/") or (name.startswith("mesh/") and "/" in path):
                yield f"{name}:{number}: relative include across folders: {path}"


def link_direction(tree):
    """The targets link in the same direction; a wrong link would make a wrong include build."""
    folders = folder_of_layer(tree)
    for name, text in tree.cmake_lists():
        folder = PurePosixPath(name).parent.as_posix()
        for call in re.findall(r"(?:legion_layer|target_link_libraries)\(([^)]*)\)", text):
            for layer in re.findall(r"\blegion_(\w+)", call):
                if layer in folders and not may_use(folder + "/x", folders[layer]):
                    yield f"{name}: {folder} must not link legion_{layer}"


# (what, pattern, folders it is banned in, files it is allowed in all the same)
BANNED = [
    (
        "reads a clock; take a Now",
        r"_clock\s*::\s*now\b|\bclock_gettime\b|\bgettimeofday\b|\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)",
        ("mesh/base", "mesh/event", "mesh/core", "mesh/spool"),
        None,
    ),
    (
        "sleeps; wait for a condition",
        r"\bsleep_(?:for|until)\b|\b(?:u|nano)?sleep\s*\(",
        PRODUCT,
        None,
    ),
    (
        "writes to the terminal; log it, or return it",
        r"\bstd::(?:cout|cerr|clog)\b|\b(?:std::|fmt::)?(?:v?f?printf|puts|fputs|putchar)\s*\(|\bfmt::print\b",
        ("mesh", "nodes"),
        r"nodes/(?:.*/)?main\.cpp|mesh/base/assert\.cpp|mesh/transport/context\.cpp",
    ),
    (
        "holds a lock; hand the data over instead",
        r"\bstd::(?:(?:recursive_|shared_|timed_)*mutex|condition_variable|lock_guard|(?:scoped|unique|shared)_lock)\b"
        r"|\bpthread_(?:mutex|rwlock)",
        ("mesh/event", "mesh/core", "mesh/spool"),
        None,
    ),
    (
        "draws random numbers; take a seed",
        r"\brandom_device\b|\bs?rand\s*\(|\bgetrandom\b|\bgetentropy\b|\barc4random",
        ("mesh/event", "mesh/core"),
        None,
    ),
    (
        "reaches for files, sockets or threads",
        r"#\s*include\s*<(?:fstream|filesystem|iostream|thread|(?:fcntl|unistd|poll)\.h|(?:sys|netinet)/[\w./]+)>",
        ("mesh/event", "mesh/core"),
        None,
    ),
    (
        "includes ZeroMQ outside mesh/transport",
        r"#\s*include\s*[<\"](?:zmq|zmq_addon)\.hp?p?[>\"]|catch\s*\(\s*(?:const\s+)?zmq::error_t",
        PRODUCT,
        r"mesh/transport/.*",
    ),
    (
        "includes MessagePack outside the .cpp files of mesh/event and mesh/core",
        r"#\s*include\s*[<\"]msgpack[./]",
        PRODUCT,
        r"mesh/(?:event|core)/.*\.cpp",
    ),
    (
        "includes toml++ outside nodes/config",
        r"#\s*include\s*[<\"]toml\+\+/",
        PRODUCT,
        r"nodes/config/.*|cli/context_file\.cpp",
    ),
    (
        "includes SQLite outside mesh/spool",
        r"#\s*include\s*[<\"]sqlite3",
        PRODUCT,
        r"mesh/spool/.*",
    ),
]


def banned_tokens(tree):
    """What a layer must not do, by the words it would need."""
    for what, pattern, folders, allowed in BANNED:
        for name in tree.matching(*folders, suffixes=CPP):
            if allowed and re.fullmatch(allowed, name):
                continue
            for number, line in tree.code_lines(name):
                found = re.search(pattern, line)
                if found:
                    yield f"{name}:{number}: {what}: {found.group(0).strip()}"


def python_sleeps(text):
    """Lines that call time.sleep or asyncio.sleep, however it was imported."""
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        return [error.lineno or 1]
    imported = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio")
        for alias in node.names
        if alias.name == "sleep"
    }
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr == "sleep":
                found.append(node.lineno)
            elif isinstance(called, ast.Name) and called.id in imported:
                found.append(node.lineno)
    return found


def test_sleeps(tree):
    """Tests wait for a condition. Only the helpers tests/support/poll.{hpp,cpp,py} may sleep, between two looks.
    What runs on the simulator's machine alone sleeps in simulated time."""
    for name in tree.matching("tests", suffixes=CPP | {".py"}):
        if re.fullmatch(r"tests/support/poll\.(?:hpp|cpp|py)|tests/sim/(?:(?:kernel|zmq|disk|cluster)/.*|conformance/world_simulated\.cpp)", name):
            continue
        if name.endswith(".py"):
            for number in python_sleeps(tree.text(name)):
                yield f"{name}:{number}: a test sleeps"
            continue
        for number, line in tree.code_lines(name):
            if re.search(r"\bsleep_(?:for|until)\b|\b(?:u|nano)?sleep\s*\(", line):
                yield f"{name}:{number}: a test sleeps: {line.strip()}"


def listed_sources(tree):
    """Every .cpp is named in a CMakeLists.txt, without globs, and every CMakeLists.txt is reached."""
    listed, reached, lists = set(), {"CMakeLists.txt"}, list(tree.cmake_lists())
    for name, text in lists:
        folder = PurePosixPath(name).parent
        if re.search(r"\bfile\s*\(\s*GLOB", text) or "aux_source_directory" in text:
            yield f"{name}: lists sources by a glob"
        text = text.replace("${CMAKE_CURRENT_SOURCE_DIR}/", "")
        for source in re.findall(r"[\w./${}+-]+\.cpp\b", text):
            from_top = source.removeprefix("${CMAKE_SOURCE_DIR}/")
            listed.add(from_top if from_top != source else (folder / source).as_posix())
        for child in re.findall(r"add_subdirectory\(\s*([\w./-]+)", text):
            reached.add((folder / child / "CMakeLists.txt").as_posix())
    for name in tree.matching("cmake", suffixes={".cmake"}):
        for source in re.findall(r"\$\{CMAKE_SOURCE_DIR\}/([\w./-]+\.cpp)\b", tree.text(name)):
            listed.add(source)
    for name in tree.matching(*PRODUCT, "tests", "cmake", suffixes={".cpp"}):
        if name not in listed:
            yield f"{name}: not listed in any CMakeLists.txt"
    for name, text in lists:
        if re.search(r"\bproject\s*\(", text):
            continue  # a project of its own, which a test builds
        if name.split("/")[0] in (*PRODUCT, "tests") and name not in reached:
            yield f"{name}: no add_subdirectory() leads here"


def registered_system_tests(tree):
    """A script of tests/system that runs by itself is registered with ctest; the others are used by one that does."""
    scripts = [name for name in tree.matching("tests/system", suffixes={".py"}) if name.count("/") == 2]
    python = list(tree.matching("tests", suffixes={".py"}))
    cmake = "".join(text for name, text in tree.cmake_lists() if name.startswith("tests/system/"))
    registered = set(re.findall(r"[\w-]+\.py\b", cmake))
    for name in scripts:
        if PurePosixPath(name).name in registered:
            continue
        stem = PurePosixPath(name).stem
        if "__main__" in tree.text(name):
            yield f"{name}: not registered by legion_system_test() in tests/system/CMakeLists.txt"
        elif not any(re.search(rf"\b{stem}\b", tree.text(other)) for other in python if other != name):
            yield f"{name}: neither registered nor used by another script"


def documented_error_codes(tree):
    """Every ErrorCode has its name, in backquotes, in docs/operations.md."""
    header, source, document = "mesh/base/error.hpp", "mesh/base/error.cpp", "docs/operations.md"
    for needed in (header, source):
        if needed not in tree.files:
            yield f"{needed}: is missing"
            return
    enum = re.search(r"enum class ErrorCode[^{]*\{(.*?)\};", tree.text(header), re.DOTALL)
    entries = re.sub(r"//[^\n]*", "", enum.group(1)).split(",") if enum else []
    codes = [entry.split("=")[0].strip() for entry in entries if entry.strip()]
    if not codes:
        yield f"{header}: no enum class ErrorCode found"
        return
    if document not in tree.files:
        yield f"{document}: is missing; it has to list the error codes of {header}"
        return
    names = dict(re.findall(r"case ErrorCode::(\w+):\s*return \"(\w+)\"", tree.text(source)))
    for code in codes:
        if code not in names:
            yield f"{source}: to_string() has no name for ErrorCode::{code}"
        elif f"`{names[code]}`" not in tree.text(document):
            yield f"{document}: does not list the error code `{names[code]}`"


def file_length(tree):
    """No source file is longer than 500 lines."""
    for name in tree.files:
        if Path(name).suffix in SOURCES or name == "dev" or name.endswith("CMakeLists.txt"):
            count = len(tree.text(name).splitlines())
            if count > LONGEST_FILE:
                yield f"{name}: {count} lines, at most {LONGEST_FILE}"


# Written in two halves, so that this file holds itself to the rule.
UNFINISHED = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
FORBIDDEN = re.compile(
    r"(?<![\w.$}])/(?:" + "wo" + r"rk|ro" + r"ot)/"
    r"|\b(?:" + "|".join(host.replace("@", ".") for host in (
        r"(?:deb|security|snapshot)\@debian\@org", r"pypi\@org", r"files\@pythonhosted\@org", r"registry\@npmjs\@org",
        r"crates\@io", r"proxy\@golang\@org", r"docker\@io", r"ghcr\@io", r"apt\@llvm\@org", r"conan\@io",
    )) + r")\b"
)  # fmt: skip


def unfinished_words(tree):
    """No notes to self: what is open belongs in the tracker, not in the tree."""
    for name in tree.files:
        for number, line in tree.lines(name):
            if UNFINISHED.search(line):
                yield f"{name}:{number}: {line.strip()}"


def forbidden_texts(tree):
    """No path of somebody's machine and no package registry."""
    for name in tree.files:
        for number, line in tree.lines(name):
            found = FORBIDDEN.search(line)
            if found:
                yield f"{name}:{number}: names {found.group(0)}"


def top_level(tree):
    """The top of the tree holds what the README's folder table names, and dot files."""
    for entry in sorted({name.split("/")[0] for name in tree.files}):
        if entry not in TOP_LEVEL and not entry.startswith("."):
            yield f"{entry}: does not belong at the top of the tree"


RULES = [
    include_direction, link_direction, banned_tokens, test_sleeps, listed_sources, registered_system_tests,
    documented_error_codes, file_length, unfinished_words, forbidden_texts, top_level,
]  # fmt: skip
