"""Installs the library into a folder of its own and uses it as a stranger would."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ.get("LEGION_BUILD", "."))
CXX = os.environ.get("LEGION_CXX", "g++")
FLAGS = os.environ.get("LEGION_FLAGS", "").split()
CONSUMER = Path(__file__).resolve().parent / "consumer"

HEADERS = {
    *(
        "agent async context event handler in_process json middleware node plugin publisher statistics testing types version"
    ).split(),
    *("base/" + name for name in "bytes error ids limits log time".split()),
    *("core/" + name for name in "middleware middleware_spec".split()),
    *(
        "event/" + name
        for name in (
            "data_map event event_type json msgpack_reader msgpack_writer outcome policy priority publish redact schema "
            "subscription_start typed typed_codec typed_fields types where"
        ).split()
    ),
    *("event/types/" + name for name in "market risk strategy system trade".split()),
}


# Structs that programs fill in, and one member of each; those of event/types are looked up.
PLAIN_STRUCTS = {
    "AgentOptions": "concurrency",
    "Confirmed": "taken",
    "Event": "type",
    "EventSchema": "type",
    "HandlerOptions": "tier",
    "InProcessOptions": "topics",
    "NodeOptions": "name",
    "PublishOptions": "on_numbered",
    "PublishRetry": "attempts",
    "SubscriptionStart": "kind",
    "TestMeshOptions": "start",
    "TopicRule": "prefix",
}


def run(*command, **options):
    """What it printed; a failure shows it."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="legion-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix = cls.folder / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.lib = next(cls.prefix.rglob("liblegion.so")).parent
        # Moved, so that nothing can depend on where it was installed.
        moved = cls.folder / "moved"
        cls.prefix.rename(moved)
        cls.lib = moved / cls.lib.relative_to(cls.prefix)
        cls.prefix = moved

    def environment(self):
        return {**os.environ, "LD_LIBRARY_PATH": str(self.lib), "PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}

    def test_these_files_and_no_others(self):
        found = {path.relative_to(self.prefix).as_posix() for path in self.prefix.rglob("*") if not path.is_dir()}
        headers = {name for name in found if name.startswith("include/")}
        self.assertEqual(headers, {f"include/legion/{name}.hpp" for name in HEADERS})
        others = {re.sub(r"^lib/(?:[\w-]+-linux-gnu/)?", "", name) for name in found - headers}
        for name in sorted(others):
            self.assertRegex(
                name, r"^(?:liblegion\.so(?:\.[\d.]+)?|pkgconfig/legion\.pc|cmake/legion/legion-[\w-]+\.cmake)$"
            )
        self.assertIn("pkgconfig/legion.pc", others)
        self.assertIn("cmake/legion/legion-config.cmake", others)

    def test_every_header_stands_alone(self):
        for name in sorted(HEADERS):
            with self.subTest(header=name):
                source = self.folder / "alone.cpp"
                source.write_text(f"#include <legion/{name}.hpp>\n#include <legion/{name}.hpp>\n")
                run(CXX, "-std=c++23", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                    "-I", self.prefix / "include", source)  # fmt: skip

    def test_structs_may_be_written_with_some_of_their_members(self):
        """Designated initialisers under -Wextra: a member without an initialiser of its own is a warning to others."""
        structs = dict(PLAIN_STRUCTS)
        for header in (self.prefix / "include" / "legion" / "event" / "types").iterdir():
            found = re.findall(r"^struct (\w+) \{\n +[\w:<>, ]+? (\w+)(?:\{\}| = [^;]+)?;", header.read_text(), re.M)
            self.assertGreater(len(found), 3, header)
            structs.update(found)
        source = self.folder / "structs.cpp"
        uses = [f"legion::{name} of_{name}() {{ return {{.{member} = {{}}}}; }}\n"
                for name, member in sorted(structs.items())]  # fmt: skip
        headers = ["types", "node", "in_process", "testing", "publisher", "agent"]
        source.write_text("".join(f"#include <legion/{name}.hpp>\n" for name in headers) + "".join(uses))
        run(CXX, "-std=c++23", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", self.prefix / "include", source)

    def test_only_the_public_symbols_are_shown(self):
        listed = run("nm", "-D", "-C", "--defined-only", self.lib / "liblegion.so").splitlines()
        names = [line.split(maxsplit=2)[2] for line in listed if len(line.split(maxsplit=2)) == 3]
        shown = [name for name in names if "legion::" in name]
        self.assertTrue(any(name.startswith("legion::Node::create(") for name in shown), shown[:20])
        strangers = [name for name in names if not name.startswith(("legion::", "LEGION_"))]
        self.assertEqual(strangers, [])
        internal = re.compile(
            r"^legion::(?:\w*Host|Dispatch(?!edEvent)\w*|NodeLoop|Intake|HandlerTable|Ledger\w*|Memory\w+|Durable\w+|spool|transport)\b"
        )
        self.assertEqual([name for name in shown if internal.match(name)], [])

    def test_a_program_finds_it_with_cmake(self):
        build = self.folder / "cmake"
        run("cmake", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={CXX}",
            f"-DCMAKE_CXX_FLAGS={' '.join(FLAGS)}", "-DCMAKE_BUILD_TYPE=Debug")  # fmt: skip
        run("cmake", "--build", build)
        plugin = next(build.glob("libconsumer_plugin*"))
        said = run(build / "consumer", self.folder / "state-cmake", plugin, env=self.environment())
        self.assertRegex(said, r"^legion \d+\.\d+\.\d+ at tcp://127\.0\.0\.1:\d+")

    def test_a_program_finds_it_with_pkg_config(self):
        flags = run("pkg-config", "--cflags", "--libs", "legion", env=self.environment()).split()
        program = self.folder / "consumer"
        run(CXX, *FLAGS, CONSUMER / "main.cpp", "-o", program, *flags, env=self.environment())
        run(program, self.folder / "state-pkg-config", env=self.environment())


if __name__ == "__main__":
    unittest.main()
