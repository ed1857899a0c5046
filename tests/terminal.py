#!/usr/bin/env python3
"""Run a command with its standard output or standard error on a terminal of 100 columns, and print what went there.

usage: terminal.py out|err COMMAND [ARG ...]      the exit code is the command's
"""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

stream = {"out": "stdout", "err": "stderr"}[sys.argv[1]]
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
process = subprocess.Popen(sys.argv[2:], **streams)
os.close(theirs)
seen = b""
while True:
    try:
        data = os.read(ours, 4096)
    except OSError:  # the other end is closed
        break
    if not data:
        break
    seen += data
os.write(1, seen)
sys.exit(process.wait())
