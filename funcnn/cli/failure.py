"""What goes wrong because of what was asked for: a message for the person, and an exit status for the script."""

OK = 0
NOT_CERTIFIED = 1
WRONG_REQUEST = 2  # as argparse has it
DIVERGED = 3
PIPE_CLOSED = 141  # as shells have it for a program that wrote to nobody
INTERRUPTED = 130  # as shells have it for Ctrl-C

STATUSES = (
    "exit status: 0 done, 1 a gradient was not certified, 2 a wrong option or file, 3 training diverged, 130 interrupted"
    " (what was learned is kept)"
)


class RequestError(Exception):
    """Something that was asked for cannot be done: the message says what came, what was expected and what to do."""
