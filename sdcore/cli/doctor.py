"""`sdcore doctor`: what works on this host, and what would make it faster."""

from __future__ import annotations

import dataclasses
import json
import sys

import click

from sdcore.cli.checks import Finding, all_findings

COLOURS = {"ok": "green", "slow": "yellow", "missing": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check this host. Exit code 1 if something that sdcore needs is missing.

    Example: sdcore doctor
    """
    findings = tuple(all_findings())
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        print_findings(findings)
    sys.exit(int(any(finding.verdict == "missing" for finding in findings)))


def print_findings(findings: tuple[Finding, ...]) -> None:
    """One line for each finding, its advice below it."""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        verdict = click.style(f"{finding.verdict:<7}", fg=COLOURS[finding.verdict])
        click.echo(f"{verdict}  {finding.name:<{width}}  {finding.found}")
        if finding.advice:
            click.echo(f"{'':<7}  {'':<{width}}  -> {finding.advice}")
