"""A table as notebooks show it."""

import html


def html_table(names, rows, note=""):
    """HTML of texts: a line of names, the rows, and what is said below them."""

    def line(tag, cells):
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    body = "".join(line("td", row) for row in rows)
    below = html.escape(note).replace("\n", "<br>")
    return f"<table><thead>{line('th', names)}</thead><tbody>{body}</tbody></table><p>{below}</p>"
