"""Write `data/compiled.txt` anew: `python -m bounceproc.classify.compiled` after every change of a built-in rule file."""

from __future__ import annotations

import sys

from bounceproc.classify.builtin import COMPILED, dump_compiled, dump_words, read_built_in
from bounceproc.classify.letters import WORDS
from bounceproc.classify.rules import hidden_examples
from bounceproc.errors import ConfigError


def main() -> int:
    """Check every built-in rule and its examples, then write; 0 when all is well, else 78 with one line a problem."""
    try:
        rules = read_built_in()
    except ConfigError as error:
        problems = list(error.problems)
    else:
        problems = hidden_examples(rules, rules.rules)
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    if problems:
        return ConfigError.exit_code
    COMPILED.write_text(dump_compiled(rules), encoding="utf-8")
    COMPILED.with_name(WORDS.name).write_text(dump_words(rules), encoding="utf-8")
    sys.stderr.write(f"{len(rules.rules)} rules, {sum(len(rule.patterns) for rule in rules.rules)} patterns\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
