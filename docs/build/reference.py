"""Write the reference while the documentation is built: public names alone, as users write them, an index, and the sources.

A page of the reference lists names, one a line, as ``::: fn.relu``.  Names of one file that follow one another become a section:
the signature and docstring of each, and what stands at the top of the file (the formula and its derivation).
"""

import ast
import itertools
import re
from collections.abc import Iterable
from typing import Any

import surface

NAME = re.compile(r"^::: ((?:fn|funcnn)\.[\w.]+)[ \t]*$", re.MULTILINE)
LISTING = re.compile(r"(?:^::: (?:fn|funcnn)\.[\w.]+[ \t]*$\n*)+", re.MULTILINE)
TITLE_END = re.compile(r"[:.,;]( |$)| \(| \$")
INDEX = "reference/index.md"


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Add the index and a page for every source file."""
    from mkdocs.structure.files import File, InclusionLevel  # the tests read this file without MkDocs

    files.append(File.generated(config, INDEX, content=index(pages(files))))
    for module in surface.modules():
        page = File.generated(config, source_page(module), content=source(module))
        page.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(page)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace the names that a page of the reference lists."""
    if not page.file.src_uri.startswith("reference/"):
        return markdown
    known = {name.written: name for name in surface.public_names()}

    def expand(found: re.Match[str]) -> str:
        names = [known[written] for written in NAME.findall(found[0])]
        groups = itertools.groupby(names, lambda name: name.module)
        return "\n\n".join(section(module, list(group)) for module, group in groups) + "\n\n"

    return LISTING.sub(expand, markdown)


def listed(text: str) -> list[str]:
    """Return the names that a page lists."""
    return NAME.findall(text)


def pages(files: Any) -> dict[str, str]:
    """Return the page of every name that is listed, relative to the index."""
    ours = (file for file in files if file.src_uri.startswith("reference/") and file.src_uri.endswith(".md"))
    return {name: file.src_uri.removeprefix("reference/") for file in ours for name in listed(file.content_string)}


def section(module: str, names: list[surface.Name]) -> str:
    """Return what a page says about names of one file."""
    link = f"From the top of [`{file_name(module)}`](../{source_page(module)}):"
    top = directive(module, show_root_heading=False, show_root_toc_entry=False, members=False)
    alone = len(names) == 1
    entries = (named(name, level=2 if alone else 3) for name in names)
    if alone:
        return "\n\n".join([*entries, link, top])
    return "\n\n".join([f"## {title(module)}", link, top, *entries])


def named(name: surface.Name, level: int) -> str:
    """Return the directive that shows one name as users write it."""
    return directive(name.path, heading=name.written, toc_label=name.written, heading_level=level)


def directive(path: str, **options: object) -> str:
    """Return a directive of mkdocstrings."""
    lines = [f"::: {path}", "    options:"]
    for key, value in options.items():
        lines.append(f"      {key}: {str(value).lower() if isinstance(value, bool) else repr(value)}")
    return "\n".join(lines)


def docstring(module: str) -> str:
    """Return what stands at the top of a module."""
    return ast.get_docstring(surface.parsed(module)) or ""


def title(module: str) -> str:
    """Return the first words of a module's docstring."""
    return TITLE_END.split(docstring(module).splitlines()[0])[0]


def file_name(module: str) -> str:
    """Return the path of a module's file."""
    return str(surface.source_of(module).relative_to(surface.ROOT))


def source_page(module: str) -> str:
    """Return the page that shows a module's source."""
    return "source/" + file_name(module).removesuffix(".py").removeprefix("funcnn/").replace("__init__", "package") + ".md"


def source(module: str) -> str:
    """Return the page of one source file."""
    text = surface.source_of(module).read_text()
    return f"---\nsearch:\n  exclude: true\n---\n\n# {file_name(module)}\n\n````python\n{text}````\n"


def index(where: dict[str, str]) -> str:
    """Return the index of all public names: one row a name, in order of the alphabet."""
    rows = "\n".join(index_rows(surface.public_names(), where))
    return (
        "---\nhide:\n  - toc\n---\n\n# All public names\n\n"
        "`fn` is `import funcnn as fn`. A name leads to its page, a file to its source.\n\n"
        "| name | what it is | source |\n|---|---|---|\n" + rows + "\n"
    )


def index_rows(names: Iterable[surface.Name], where: dict[str, str]) -> Iterable[str]:
    """Return the rows of the index."""
    for name in sorted(names, key=lambda one: (one.written.lower(), one.written)):
        page = where.get(name.written)
        link = f"[`{name.written}`]({page}#{name.path})" if page else f"`{name.written}`"
        file = file_name(name.module).removeprefix("funcnn/")
        yield f"| {link} | {summary(name)} | [`{file}`](../{source_page(name.module)}) |"


def summary(name: surface.Name) -> str:
    """Return the first line of a name's docstring, or nothing for a constant without one."""
    body = surface.parsed(name.module).body
    for position, node in enumerate(body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name.own:
            text = ast.get_docstring(node) or ""
            break
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(one, ast.Name) and one.id == name.own for one in targets):
            after = body[position + 1] if position + 1 < len(body) else None
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            text = str(after.value.value) if told else ""  # type: ignore[union-attr]  # narrowed by told
            break
    else:
        text = ""
    return text.strip().split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
