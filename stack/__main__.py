"""`python -m stack up|down|status|restart`: everything of Weir on this machine."""

import sys

import typer
from rich.console import Console

from stack.part import StackError
from stack.settings import SERVICES, StackSettings
from stack.stack import Stack

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(highlight=False)


@app.command()
def up() -> None:
    """Start the real parts and the services, and say where they are."""
    stack = Stack(StackSettings())
    with console.status("starting") as status:
        stack.up(lambda what: status.update(f"starting {what}"))
    status_table(stack)


@app.command()
def down(clean: bool = typer.Option(False, help="remove all data as well")) -> None:
    """Stop everything. Data is kept, unless --clean."""
    stack = Stack(StackSettings())
    with console.status("stopping"):
        stack.down(forget=clean)
    console.print("everything is stopped" + (", and its data removed" if clean else ""))


@app.command()
def status() -> None:
    """Show what runs."""
    status_table(Stack(StackSettings()))


@app.command()
def restart(name: str) -> None:
    """Restart one part or service."""
    stack = Stack(StackSettings())
    stack.supervisor.stop(name)
    stack.supervisor.start(name)


def status_table(stack: Stack) -> None:
    if not stack.is_up:
        console.print("nothing is running; start it with: make up")
        return
    for name, state in sorted(stack.supervisor.states().items()):
        console.print(f"{name:12} {state}")
    for service in SERVICES:
        console.print(f"{service:12} http://{stack.settings.host}:{stack.settings.service_port(service)}/docs")


if __name__ == "__main__":
    try:
        app()
    except StackError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(1)
