"""`bounceproc explain`: why a message or a reply is judged as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bounceproc.cli.options import ConfigOption, RulesOption, proofs, rule_files
from bounceproc.cli.output import Format, harmless, out, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from bounceproc.explain import Step


def add_to(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("explain")(explain)


def explain(
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="A message, an mbox or a folder of them; - for standard input.")
    ] = None,
    *,
    reply: Annotated[
        str | None, typer.Option("--reply", metavar="TEXT", help="Explain one SMTP reply or Diagnostic-Code instead.")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Blocks for people, or one JSON object a message.")
    ] = Format.TABLE,
    rules: RulesOption = None,
    config: ConfigOption = None,
) -> None:
    """Say why: the part and field, the address, the rule and what it beat, the class, and what to do."""
    from bounceproc.bootstrap.reading import classifier_with, read_messages
    from bounceproc.explain import explain_message, explain_reply, to_dict

    if (path is None) == (reply is None):
        raise typer.BadParameter("name a message, or give one reply with --reply", param_hint="PATH")
    classifier = classifier_with(rule_files(config, rules))
    if reply is not None:
        _show([explain_reply(reply, classifier)], format_)
        return
    prove = proofs(config)
    for message in read_messages([path or "-"]):
        blocks = explain_message(message.data, classifier, prove)
        if format_.is_json:
            print_json(
                {"source": message.ref, **to_dict(blocks[0]), "addresses": [to_dict(block) for block in blocks[1:]]}
            )
        else:
            out().print(harmless(message.ref), style="bold")
            _show(blocks, format_)


def _show(blocks: list[list[Step]], format_: Format) -> None:
    from bounceproc.explain import to_dict

    for block in blocks:
        if format_.is_json:
            print_json(to_dict(block))
        else:
            _block(out(), block)


def _block(console: Console, block: list[Step]) -> None:
    width = max(len(step.name) for step in block)
    for step in block:
        console.print(f"  {step.name:{width}}  {harmless(step.text)}")
    console.print()
