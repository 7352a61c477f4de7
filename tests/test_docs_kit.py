"""The reader of the documentation notices what does not run, and goes on."""

import os

import pytest
from docs_kit import Reader, blocks

PAGE = """# Title

```bash
export ONE=1   # kept for the next command
test "$ONE" = 1 && \\
  echo two > made.txt
false | true
. .venv/bin/activate
cat > more.txt <<'END'

# three
END
```

## More

It needs a key.

```console
doubleread fit photos/
```

```python
text = open("made.txt").read()
```

- in a list

  ```python
  assert text == "three"
  ```
"""


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return str(file)


def test_blocks_have_their_language_their_commands_and_what_is_said_before_them(page):
    first, shown, _, last = blocks(page)
    assert [line for line, _ in first.commands()] == [4, 5, 7, 8, 9]
    assert (shown.language, shown.before) == ("console", "It needs a key.")
    assert last.text == 'assert text == "three"\n'


def test_failures_are_told_with_their_place_and_the_rest_runs(page, tmp_path):
    reader = Reader(tmp_path, {**os.environ, "TMPDIR": str(tmp_path)})
    told = [problem.splitlines()[0].removeprefix(page) for problem in reader.follow(page)]
    assert told == [":7: false | true", ":8: . .venv/bin/activate", ":29: Python"]
    assert [(tmp_path / name).read_text() for name in ("made.txt", "more.txt")] == ["two\n", "\n# three\n"]
