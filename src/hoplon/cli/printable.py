"""Text from elsewhere (an imported file, a control plane, a stored name), made fit for a terminal.

It takes text and gives text that moves no cursor, renames no window and reads in the order in which it stands.
"""

_KEPT = "\t\n"
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in _KEPT} | {
    code: f"\\u{code:04x}" for code in _DIRECTIONS
}


def printable(text: str) -> str:
    """`text` with control characters and changes of direction escaped as in Python; tabs and line ends stay."""
    return text.translate(_ESCAPES)
