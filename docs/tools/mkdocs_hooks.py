"""What MkDocs does beside its own: formulas become MathML, which browsers show without a script."""

from __future__ import annotations

import re
from typing import Any

from latex2mathml.converter import convert

__all__ = ["on_page_markdown"]

_CODE_OR_FORMULA = re.compile(
    r"(^ *```.*?^ *```$|`[^`\n]+`)|\$\$(.+?)\$\$|(?<![\w$\\])\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\w)", re.M | re.S
)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace ``$$ ... $$`` and ``$ ... $`` by MathML; leave code as it is."""

    def replaced(found: re.Match[str]) -> str:
        code, block, inline = found.groups()
        if code is not None:
            return code
        if block is not None:
            return convert(" ".join(block.split()), display="block")
        return (
            f"<span>{convert(inline, display='inline')}</span>"  # a line that began with <math> would end the paragraph
        )

    return _CODE_OR_FORMULA.sub(replaced, markdown)
