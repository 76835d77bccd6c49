"""`bounceproc rules`: the classification knowledge: is it right, does it hold what it promises, what does it hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bounceproc.cli.options import ConfigOption, DatabaseOption, RulesOption, configuration, rule_files
from bounceproc.cli.outlooks import LIMIT, LimitOption, show_outlooks
from bounceproc.cli.output import Format, harmless, out, print_json, say, table

app = typer.Typer(
    name="rules", help="The classification rules, an operator's own and the built-in ones.", no_args_is_help=True
)


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Rule files. Default: those of the configuration.")
    ] = None,
    *,
    config: ConfigOption = None,
) -> None:
    """Check rule files: unknown categories, patterns that miss their own example, rules that others hide. Exit code 1: something is wrong."""
    from bounceproc.classify.rules import check as problems_of

    paths = files or rule_files(config)
    problems = problems_of(paths)
    for problem in problems:
        typer.echo(harmless(problem))
    if not paths:
        say("no rule files are configured; name some, or set [classify] rule_files")
    else:
        say("something is wrong" if problems else f"{len(paths)} file{'s' if len(paths) > 1 else ''}: fine")
    raise typer.Exit(1 if problems else 0)


@app.command("test")
def run_examples(
    *,
    format_: Annotated[
        Format, typer.Option("--format", help="What failed, or one JSON object an example.")
    ] = Format.TABLE,
    rules: RulesOption = None,
    config: ConfigOption = None,
) -> None:
    """Classify every rule's every example. Exit code 1: another rule decides one of them."""
    from bounceproc.classify import rules as known

    results = known.try_examples(known.load_all(rule_files(config, rules)))
    failed = [result for result in results if not result.passed]
    for result in results if format_.is_json else failed:
        row = {
            "rule": result.rule.id,
            "example": result.example,
            "decided_by": result.decided_by,
            "category": result.category,
        }
        if format_.is_json:
            print_json({**row, "passed": result.passed})
        else:
            typer.echo(
                harmless(f"{result.rule.id}: {result.example!r} is decided by {result.decided_by} ({result.category})")
            )
    say(f"{len(results)} examples, {len(failed)} failed")
    raise typer.Exit(1 if failed else 0)


@app.command("list")
def list_(
    *,
    category: Annotated[str | None, typer.Option("--category", help="Only rules of this category.")] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="Only rules for this provider.")] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="A table for people, or one JSON object a rule.")
    ] = Format.TABLE,
    rules: RulesOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the rules in the order in which they are asked."""
    from bounceproc.classify.categories import Category
    from bounceproc.classify.rules import listing, load_all

    if category is not None and category not in set(Category):
        raise typer.BadParameter(
            f"there is no category {category!r}; there are {', '.join(Category)}", param_hint="--category"
        )
    made = table("rule", "category", "class", "provider", "file", "example")
    for info in listing(load_all(rule_files(config, rules))):
        if category not in (None, info.category) or (provider is not None and provider not in info.provider):
            continue
        if format_.is_json:
            plain = {
                "id": info.id,
                "category": info.category,
                "class": info.class_,
                "provider": info.provider,
                "file": info.file,
            }
            print_json({**plain, "patterns": info.patterns, "examples": info.examples, "note": info.note})
        else:
            example = info.examples[0] if info.examples else "-"
            cells = (info.id, info.category, info.class_, ", ".join(info.provider) or "-", info.file, example)
            made.add_row(*(harmless(cell, 80) for cell in cells))
    if not format_.is_json:
        out().print(made)


@app.command()
def diff(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Rule files to try, asked first. Default: the rules in force."),
    ] = None,
    *,
    format_: Annotated[Format, typer.Option("--format", help="Tables for people, or JSON lines.")] = Format.TABLE,
    limit: LimitOption = LIMIT,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Judge what was recorded by other rules: which events, and who would enter or leave the list. Nothing is changed."""
    from bounceproc.bootstrap.judging import simulated_rules

    with simulated_rules(configuration(config, database), files or ()) as found:
        show_outlooks(found, format_, limit)
