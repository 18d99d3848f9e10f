"""Documents with generated parts: a part lies between two marks, and only what is between them is ever replaced."""

END = "<!-- end -->"


def begin(name: str) -> str:
    """The mark that opens a generated part; an HTML comment, so that no reader sees it."""
    return f"<!-- generated: {name} -->"


def with_parts(text: str, parts: dict[str, str], document: str) -> str:
    """The document with every part that it has a mark for. Raises ValueError when it has none, or one is not closed."""
    marked = [name for name in parts if begin(name) in text]
    if not marked:
        raise ValueError(f"{document} has no mark such as {begin(next(iter(parts)))!r}")
    for name in marked:
        before, rest = text.split(begin(name), 1)
        _, end, after = rest.partition(END)
        if not end:
            raise ValueError(f"{document}: the part {name!r} is not closed by {END!r}")
        text = f"{before}{begin(name)}\n\n{parts[name]}\n\n{end}{after}"
    return text


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in [head, *rows]]
    lines.insert(1, ["---"] * len(head))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
