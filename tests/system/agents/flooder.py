"""An exec agent that never reads an event and writes rubbish as fast as it is taken: short lines that are not JSON,
objects nobody understands, and lines longer than any limit."""

import os

short = b"this is not JSON\n" * 500 + b'{"ack":"seven"}\n{"verb":1}\n[1,2]\n\xff\xfe\n' * 100
huge = b"x" * (5 * 1024 * 1024) + b"\n"
while True:
    for block in (short, huge, short):
        done = 0
        while done < len(block):
            done += os.write(1, block[done:])
