"""An exec agent that reads nothing, answers nothing and does not end when it is asked to."""

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
while True:
    signal.pause()
