"""Proves that each rule bites: a small sound tree passes all of them, and each kind of harm is found by its rule."""

import tempfile
import unittest
from pathlib import Path

import rules
from tree import Tree, code_only

SOUND = {
    "CMakeLists.txt": "add_subdirectory(mesh)\nadd_subdirectory(nodes)\nadd_subdirectory(tests)\n",
    "README.md": "A mesh.\n",
    ".editorconfig": "root = true\n",
    "docs/operations.md": "| `bad_data` | wrong bytes |\n| `too_big` | over a bound |\n",
    "mesh/CMakeLists.txt": "add_subdirectory(base)\nadd_subdirectory(event)\n"
    "add_subdirectory(core)\nadd_subdirectory(transport)\n",
    "mesh/base/CMakeLists.txt": "legion_layer(base\n  SOURCES\n    error.cpp  # names\n)\n",
    "mesh/base/error.hpp": "enum class ErrorCode : std::uint8_t {\n  BadData,  ///< wrong, somehow\n  TooBig,\n};\n",
    "mesh/base/error.cpp": '#include <legion/base/error.hpp>\ncase ErrorCode::BadData: return "bad_data";\n'
    'case ErrorCode::TooBig: return "too_big";\n',
    "mesh/event/CMakeLists.txt": "legion_layer(event SOURCES frame.cpp LINK legion_base)\n",
    "mesh/event/frame.cpp": "#include <msgpack.hpp>\n#include <legion/base/error.hpp>\nint size = 1'000;\n",
    "mesh/core/CMakeLists.txt": "legion_layer(core SOURCES ledger.cpp LINK legion_event)\n",
    "mesh/core/ledger.cpp": "#include <legion/event/frame.hpp>\n"
    '// steady_clock::now() is not for us\nauto x = "std::mutex";\n',
    "mesh/transport/CMakeLists.txt": "legion_layer(transport SOURCES socket.cpp LINK legion_base)\n",
    "mesh/transport/socket.cpp": "#include <zmq.hpp>\nauto t = std::chrono::steady_clock::now();\n",
    "nodes/CMakeLists.txt": "add_subdirectory(config)\nadd_executable(legion-node main.cpp)\n",
    "nodes/main.cpp": "#include <legion/config/config.hpp>\nint main() { std::puts(version); }\n",
    "nodes/config/CMakeLists.txt": "legion_layer(config SOURCES config.cpp LINK legion_core)\n",
    "nodes/config/config.cpp": "#include <toml++/toml.h>\n#include <legion/core/ledger.hpp>\n",
    "tests/CMakeLists.txt": "add_subdirectory(unit)\nadd_subdirectory(system)\nadd_subdirectory(support)\n",
    "tests/unit/CMakeLists.txt": "legion_test(unit SOURCES ledger_test.cpp LINK legion_core)\n",
    "tests/unit/ledger_test.cpp": '#include "support/poll.hpp"\n#include <legion/core/ledger.hpp>\n',
    "tests/system/CMakeLists.txt": "legion_system_test(system.join join_test.py)\n",
    "tests/system/join_test.py": 'import cluster\nif __name__ == "__main__":\n    cluster.start()\n',
    "tests/system/cluster.py": "def start(): pass\n",
    "tests/support/CMakeLists.txt": "",
    "tests/support/poll.hpp": "inline void pause() { std::this_thread::sleep_for(1ms); }\n",
}


class RulesTest(unittest.TestCase):
    def violations(self, rule, changes=None):
        """What the rule says of the sound tree with `changes` made to it; None deletes a file."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**SOUND, **(changes or {})}.items():
                if text is None:
                    continue
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
            return list(rule(Tree(folder)))

    def bites(self, rule, name, text, says):
        """The rule finds exactly one violation, in file `name`, that contains `says`."""
        found = self.violations(rule, {name: text})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(name), found)
        self.assertIn(says, found[0])

    def test_a_sound_tree_passes_every_rule(self):
        for rule in rules.RULES:
            with self.subTest(rule.__name__):
                self.assertEqual(self.violations(rule), [])

    def test_includes_against_the_layers(self):
        for name, layer in [
            ("mesh/base/error.cpp", "event"),
            ("mesh/event/frame.cpp", "core"),
            ("mesh/core/ledger.cpp", "transport"),
            ("mesh/core/ledger.cpp", "runtime"),
            ("mesh/core/ledger.cpp", "spool"),
            ("mesh/transport/socket.cpp", "core"),
            ("mesh/transport/socket.cpp", "config"),
        ]:
            with self.subTest(f"{name} -> {layer}"):
                wrong = f"\n#include <legion/{layer}/x.hpp>\n"
                self.bites(rules.include_direction, name, wrong, f":2: must not include from '{layer}'")

    def test_includes_of_the_nodes_by_the_cli(self):
        agents = {
            "nodes/agents/CMakeLists.txt": "legion_layer(agents SOURCES factory.cpp LINK legion_config)\n",
            "cli/main.cpp": "#include <legion/agents/factory.hpp>\n",
        }
        found = self.violations(rules.include_direction, agents)
        self.assertEqual(len(found), 1, found)
        self.assertIn("must not include", found[0])

    def test_the_cli_may_check_configurations(self):
        self.assertEqual(self.violations(rules.include_direction, {"cli/main.cpp": "#include <legion/config/config.hpp>\n"}), [])

    def test_includes_of_a_layer_that_does_not_exist(self):
        self.bites(rules.include_direction, "mesh/core/ledger.cpp", "#include <legion/util/x.hpp>\n", "no layer 'util'")

    def test_relative_includes_across_folders(self):
        for name, path in [
            ("mesh/core/ledger.cpp", "../event/frame.hpp"),
            ("mesh/core/ledger.cpp", "event/frame.hpp"),
            ("nodes/main.cpp", "../mesh/core/x.hpp"),
            ("tests/unit/ledger_test.cpp", "../x.hpp"),
        ]:
            with self.subTest(path):
                self.bites(rules.include_direction, name, f'#include "{path}"\n', "relative include")

    def test_links_against_the_layers(self):
        wrong = "legion_layer(core SOURCES ledger.cpp LINK\n legion_transport)\n"
        self.bites(rules.link_direction, "mesh/core/CMakeLists.txt", wrong, "must not link legion_transport")

    def test_banned_tokens(self):
        proven = set()
        for name, code, says in [
            ("mesh/core/ledger.cpp", "auto t = std::chrono::steady_clock::now();", "clock"),
            ("mesh/event/frame.cpp", "auto t = std::chrono::system_clock :: now();", "clock"),
            ("mesh/base/error.cpp", "clock_gettime(CLOCK_MONOTONIC, &t);", "clock"),
            ("mesh/core/ledger.cpp", "auto t = std::time(nullptr);", "clock"),
            ("mesh/transport/socket.cpp", "std::this_thread::sleep_for(1ms);", "sleeps"),
            ("nodes/main.cpp", "usleep(10);", "sleeps"),
            ("mesh/transport/socket.cpp", "std::cout << 1;", "terminal"),
            ("mesh/transport/socket.cpp", 'std::fprintf(stderr, "x");', "terminal"),
            ("nodes/config/config.cpp", 'fmt::print("x");', "terminal"),
            ("mesh/core/ledger.cpp", "std::mutex m;", "lock"),
            ("mesh/event/frame.cpp", "std::scoped_lock lock(m);", "lock"),
            ("mesh/spool/store.cpp", "std::condition_variable c;", "lock"),
            ("mesh/core/ledger.cpp", "std::random_device d;", "random"),
            ("mesh/core/ledger.cpp", "int r = rand();", "random"),
            ("mesh/core/ledger.cpp", "#include <fstream>", "files"),
            ("mesh/event/frame.cpp", "#include <sys/socket.h>", "files"),
            ("mesh/core/ledger.cpp", "#include <zmq.hpp>", "ZeroMQ"),
            ("nodes/main.cpp", "} catch (const zmq::error_t& e) {", "ZeroMQ"),
            ("mesh/event/frame.hpp", "#include <msgpack.hpp>", "MessagePack"),
            ("nodes/main.cpp", "#include <msgpack.hpp>", "MessagePack"),
            ("nodes/main.cpp", "#include <toml++/toml.h>", "toml++"),
            ("mesh/core/ledger.cpp", "#include <sqlite3.h>", "SQLite"),
        ]:
            with self.subTest(f"{name}: {code}"):
                self.bites(rules.banned_tokens, name, f"\n{code}\n", says)
                proven |= {what for what, *_ in rules.BANNED if says in what}
        self.assertEqual({what for what, *_ in rules.BANNED} - proven, set(), "bans without a case above")

    def test_words_in_comments_and_texts_are_not_code(self):
        source = 'a /* std::mutex\n m */ "rand() \\" rand()" R"x(rand()\n)" rand() )x" // rand()\n'
        source += """'"' 1'000'000 b "c\""""
        self.assertEqual(code_only(source).split(), ["a", "1'000'000", "b"])
        self.assertEqual(code_only(source).count("\n"), source.count("\n"))

    def test_sleeps_in_tests(self):
        for name, code in [
            ("tests/unit/ledger_test.cpp", "std::this_thread::sleep_for(1s);"),
            ("tests/unit/ledger_test.cpp", "::usleep(1000);"),
            ("tests/support/other.hpp", "nanosleep(&t, nullptr);"),
            ("tests/system/join_test.py", "import time\ntime.sleep(1)\n"),
            ("tests/system/join_test.py", "from time import sleep as pause\npause(1)\n"),
            ("tests/system/join_test.py", "import asyncio\nasync def f(): await asyncio.sleep(1)\n"),
        ]:
            with self.subTest(code):
                self.bites(rules.test_sleeps, name, code, "a test sleeps")
        simulated = {"tests/sim/kernel/kernel_test.cpp": "std::this_thread::sleep_for(1s);"}
        self.assertEqual(self.violations(rules.test_sleeps, simulated), [])

    def test_sources_that_nobody_builds(self):
        self.bites(rules.listed_sources, "mesh/core/forgotten.cpp", "", "not listed")
        self.bites(rules.listed_sources, "tests/unit/forgotten_test.cpp", "", "not listed")
        commented = "legion_layer(core SOURCES # ledger.cpp\n)\n"
        self.assertEqual(
            self.violations(rules.listed_sources, {"mesh/core/CMakeLists.txt": commented}),
            ["mesh/core/ledger.cpp: not listed in any CMakeLists.txt"],
        )

    def test_globs_and_folders_that_nobody_adds(self):
        globbed = SOUND["mesh/core/CMakeLists.txt"] + "file(GLOB more *.cpp)\n"
        self.bites(rules.listed_sources, "mesh/core/CMakeLists.txt", globbed, "glob")
        self.bites(rules.listed_sources, "tests/sim/CMakeLists.txt", "", "no add_subdirectory")

    def test_system_tests_that_nobody_runs(self):
        script = 'if __name__ == "__main__":\n  run()\n'
        self.bites(rules.registered_system_tests, "tests/system/part_test.py", script, "not registered")
        self.bites(rules.registered_system_tests, "tests/system/leftover.py", "x = 1\n", "neither registered nor used")

    def test_error_codes_without_documentation(self):
        document = "docs/operations.md"
        self.bites(rules.documented_error_codes, document, "`bad_data`, and too_big without backquotes\n", "`too_big`")
        self.bites(rules.documented_error_codes, document, None, "is missing")
        unnamed = 'case ErrorCode::BadData: return "bad_data";\n'
        self.bites(rules.documented_error_codes, "mesh/base/error.cpp", unnamed, "TooBig")
        self.bites(rules.documented_error_codes, "mesh/base/error.hpp", "enum Other {};\n", "no enum class")

    def test_long_files(self):
        self.bites(rules.file_length, "mesh/core/ledger.cpp", "//\n" * 501, "501 lines")
        self.assertEqual(self.violations(rules.file_length, {"mesh/core/ledger.cpp": "//\n" * 500}), [])

    def test_unfinished_words(self):
        for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"):
            self.bites(rules.unfinished_words, "docs/operations.md", f"\nlater ({word}): more\n", f":2: later ({word})")

    def test_forbidden_texts(self):
        for text in ("/wo" + "rk/main", "/ro" + "ot/x", "deb.de" + "bian.org", "py" + "pi.org", "crates" + ".io"):
            self.bites(rules.forbidden_texts, "README.md", f"see {text}\n", "names")
        for text in ("net/wo" + "rk/x", "${prefix}/ro" + "ot/", "the work/", "debian.org"):
            self.assertEqual(self.violations(rules.forbidden_texts, {"README.md": text}), [])

    def test_strangers_at_the_top(self):
        self.bites(rules.top_level, "notes.txt", "", "does not belong")
        self.bites(rules.top_level, "src", "", "does not belong at the top of the tree")
        self.assertEqual(len(self.violations(rules.top_level, {"src/x.cpp": "", "src/y.cpp": ""})), 1)

    def test_bytes_that_are_no_text_are_passed_over(self):
        for rule in rules.RULES:
            with self.subTest(rule.__name__):
                self.assertEqual(self.violations(rule, {"tests/fuzz/corpus/frame/a": b"\xff\x00\xfe"}), [])


if __name__ == "__main__":
    unittest.main()
