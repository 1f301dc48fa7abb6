"""Turn the TeX that arithmatex marked into MathML while the site is built."""

import html
import re

from latex2mathml.converter import convert

_MARKED = re.compile(
    r'<(span|div) class="arithmatex">\s*\\[(\[](.+?)\\[)\]]\s*</\1>', flags=re.DOTALL
)


def on_page_content(content, **_):
    """Replace every marked formula of a page; the browser needs no script to show it."""

    def mathml(match):
        tag, tex = match.groups()
        return convert(html.unescape(tex).strip(), display="block" if tag == "div" else "inline")

    return _MARKED.sub(mathml, content)
