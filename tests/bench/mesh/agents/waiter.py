"""An exec agent that waits 1 ms with every event, as one does that asks a service of its own, and acknowledges it."""

import select
import sys

for line in sys.stdin:
    start = line.rindex('"delivery":') + len('"delivery":')
    select.select([], [], [], 0.001)  # the work
    sys.stdout.write('{"ack":%d}\n' % int(line[start:line.index(",", start)]))
    sys.stdout.flush()
