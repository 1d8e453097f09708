"""Every block of code in the README and the documentation does what the page says.

Oracle: the programs themselves, run on the sample images; what a page shows as output is compared with what is printed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_tools import PAGES, RUN, SHOWN, Block, Reader, blocks, same_output

ELSEWHERE = {"run", "test", "gallery"}
"""Marks of blocks that build an environment, or make a picture that another test makes and looks at."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page(page: Path, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    printed: str | None = None
    for block in blocks(page.read_text()):
        assert block.language in RUN | SHOWN, f"{page.name}:{block.line}: a block of the language {block.language!r}"
        if "output" in block.marks:
            assert printed is None or same_output(printed, block.code), (
                f"{page.name}:{block.line} shows\n{block.code}\nbut this is printed:\n{printed}"
            )
        elif block.language in RUN:
            printed = follow(reader, block, page)


def follow(reader: Reader, block: Block, page: Path) -> str | None:
    """Run a block; None where it is not run."""
    if "not run" in block.marks:
        assert block.marks["not run"], f"{page.name}:{block.line} is not run: for what reason?"
        return None
    if block.missing() or block.marks.keys() & ELSEWHERE:
        return None
    try:
        return reader.run(block)
    except Exception as error:
        raise AssertionError(f"{page.name}:{block.line}: {error}") from error


CONDITIONAL = [
    pytest.param(block, id=f"{page.name}:{block.line}")
    for page in PAGES
    for block in blocks(page.read_text())
    if block.language in RUN and block.marks.keys() & {"needs", "not run"}
]


@pytest.mark.parametrize("block", CONDITIONAL)
def test_a_block_that_is_left_out_is_told(block: Block) -> None:
    """In the list of what is skipped, with the reason; the tests of the pages run the others."""
    if "not run" in block.marks:
        pytest.skip(f"the block is never run: {block.marks['not run']}")
    if block.missing():
        pytest.skip(f"the block needs {', '.join(block.missing())}")


# --- the reading of pages; oracle: pages made for it


PAGE = """\
# Title

<!-- setup: touch a.txt -->
<!-- status: 3 -->
```sh
ls a.txt; exit 3
```

<!-- output -->

```text
a.txt
```

<!-- needs: no_such_module json -->
text in between takes the mark away

```python
x = 1
```

<!-- needs: no_such_module json -->

```python
import no_such_module
```
1. a list

   ```python
   print(x + 1)
   ```
"""


def test_the_reading_of_blocks() -> None:
    found = blocks(PAGE)
    assert [block.language for block in found] == ["sh", "text", "python", "python", "python"]
    assert found[0].marks == {"setup": "touch a.txt", "status": "3"}
    assert found[1].marks == {"output": ""}
    assert found[2].marks == {}
    assert [block.missing() for block in found] == [[], [], [], ["no_such_module"], []]
    assert found[4].code == "print(x + 1)\n"
    assert PAGE.splitlines()[found[0].line - 1] == "```sh"


def test_the_running_of_blocks(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    found = blocks(PAGE)
    assert same_output(reader.run(found[0]), found[1].code)
    assert reader.run(found[2]) == ""
    assert reader.run(found[4]) == "2\n"
    assert (tmp_path / "work" / "sample_images" / "coffee.jpg").is_file()


@pytest.mark.parametrize("code", ["exit 1", "false; true", "false | true", "no-such-program", "sift detect none.jpg"])
def test_a_command_that_fails_is_noticed(tmp_path: Path, code: str) -> None:
    with pytest.raises(AssertionError, match="ended with"):
        Reader(tmp_path).run(Block("sh", code, 1, {}))


def test_an_example_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Expected"):
        Reader(tmp_path).run(Block("pycon", ">>> 1 + 1\n3\n", 1, {}))


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("717 keypoints in 0.20 s", "717 keypoints in 3.14 s", True),
        ("717 keypoints", "720 keypoints", True),
        ("717 keypoints", "800 keypoints", False),
        ("a 1.50 b", "a 1.51 b", True),
        ("a 1.50 b", "a 1.60 b", False),
        ("21 74", "22 77", True),
        ("21 74", "25 74", False),
        ("1 2", "1 2 3", False),
        ("one 1", "two 1", False),
        ("-0.5", "0.5", False),
        (" 1.0e-04  x\n", "1.01e-04 x", True),
        ("1.0e-04", "2.0e-04", False),
    ],
)
def test_the_comparison_of_outputs(printed: str, shown: str, same: bool) -> None:
    assert same_output(printed, shown) is same
