"""The demo's Python agents as programs of their own: its nodes are told to expect them, and they attach."""

import re
import subprocess
import sys
import tomllib

from runner.processes import end_with_parent, environment

EXEC = re.compile(r'^exec = \["python3", "agents/(\w+)\.py"\]$', re.MULTILINE)
ENV = re.compile(r"^env = \{.*\}$\n?", re.MULTILINE)


class Program:
    """One agent on the Python package, and the node it attaches to."""

    def __init__(self, configs, folder, name, script, env):
        self.log_path = folder / f"agent-{name}.log"
        self.process = None
        self._command = [sys.executable, str(configs / "agents" / "package" / f"{script}.py")]
        package = configs.parent.parent / "clients" / "python"
        self._environment = {**env, "PYTHONPATH": str(package)}

    def start(self, port, detached, **extra):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=environment(LEGION_NODE=f"127.0.0.1:{port}", **self._environment, **extra),
                preexec_fn=None if detached else end_with_parent)  # fmt: skip


def as_programs(config, folder):
    """(the configuration with `remote = true` for every agent in Python, those agents). The file as it is when it has
    none."""
    text = config.read_text(encoding="utf-8")
    if not EXEC.search(text):
        return config, []
    programs = []
    for agent in tomllib.loads(text)["agent"]:
        if "exec" not in agent:
            continue
        script = agent["exec"][1].removeprefix("agents/").removesuffix(".py")
        programs.append(Program(config.parent, folder, agent["name"], script, agent.get("env", {})))
    changed = folder / config.name
    changed.write_text(ENV.sub("", EXEC.sub("remote = true", text)), encoding="utf-8")
    return changed, programs
