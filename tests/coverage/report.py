"""What ./dev coverage prints: lines reached per folder and per file, from gcovr's JSON; and which were not."""

import collections
import json
import pathlib
import sys

GOAL = 95.0
# What only a defect reaches: the assertion that ends the process.
NEVER = ("LEGION_UNREACHABLE", "LEGION_ASSERT(false")


def ranges(numbers):
    """[3, 4, 5, 9] -> "3-5, 9"."""
    out = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def lines_of(entries):
    """file -> (line numbers that count, those that were not reached). A layer's headers are there under the link in the
    build tree, too."""
    counts = collections.defaultdict(collections.Counter)
    for entry in entries:
        name = str(pathlib.Path(entry["file"]).resolve().relative_to(pathlib.Path.cwd()))
        text = pathlib.Path(name).read_text().splitlines()
        for line in entry["lines"]:
            if not line.get("gcovr/noncode") and not any(word in text[line["line_number"] - 1] for word in NEVER):
                counts[name][line["line_number"]] += line["count"]
    return {name: (sorted(of), sorted(number for number, count in of.items() if count == 0))
            for name, of in counts.items()}


def main(lines_json, missing_path):
    files = lines_of(json.loads(pathlib.Path(lines_json).read_text())["files"])
    folders = collections.defaultdict(lambda: [0, 0])
    missing = []
    for name, (all_lines, not_reached) in sorted(files.items()):
        sums = folders[str(pathlib.Path(name).parent)]
        sums[0] += len(all_lines)
        sums[1] += len(not_reached)
        if not_reached:
            missing.append(f"{name}: {ranges(not_reached)}")
    pathlib.Path(missing_path).write_text("\n".join(missing) + "\n")
    enough = True
    for folder, (total, not_reached) in sorted(folders.items()):
        share = 100.0 * (total - not_reached) / total
        enough = enough and share >= GOAL
        print(f"{folder}: {share:.2f} % of {total} lines, {not_reached} not reached")
    print(f"the lines that were not reached: {missing_path}")
    return 0 if enough and folders else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
