"""The model card of a run."""

from pyml.cli.failures import line_of

__all__ = ["card_of"]


def card_of(report, schema):
    """A page in Markdown that says what a model is, of what, and how good.

    Mitchell et al. 2019 (arXiv:1810.03993), "Model cards for model reporting".

    Args:
        report: what is to be known about the run, by name.
        schema: the Schema of the table.
    """
    data, split, network = report["data"], report["split"], report["network"]
    versions = report["versions"]
    sha256 = f", SHA-256 `{data['sha256']}`" if data["sha256"] else ""
    several = f"{network['members']} networks, " if network["members"] > 1 else ""
    facts = {
        "data": f"`{data['path']}`: {data['rows']:,} rows, {data['columns']:,} columns{sha256}",
        "predicts": f"{', '.join(report['target'])}: {report['task']} ({report['reason']})",
        "from": ", ".join(f"{name} ({kind})" for name, kind in report["inputs"].items()),
        "split": f"{split['how']}: {split['train']:,} rows to train on, "
        f"{split['validation']:,} to validate on, {split['test']:,} to test on",
        "network": f"{several}hidden layers {', '.join(map(str, network['hidden'])) or 'none'}; "
        f"{network['parameters']:,} parameters",
        "training": f"{' + '.join(map(str, report['epochs']))} epochs in "
        f"{report['seconds']:.1f} s, seed {report['seed']}, {versions['threads']} threads; "
        f"{report['stopped']}",
        "made": f"{report['made']} by `{report['command']}`",
        "with": f"pyml {versions['pyml']} on {versions['isa']}, Python {versions['python']}, "
        f"NumPy {versions['numpy']}, {versions['platform']}",
    }
    scores = [
        f"| {name} | {score.value:.6g} | {score.low:.6g} to {score.high:.6g} "
        f"| {score.baseline:.6g} |"
        for name, score in report["scores"].items()
    ]
    return "\n".join(
        [
            f"# Model card: {', '.join(report['target'])}\n",
            "| | |",
            "|---|---|",
            *(f"| {name} | {escaped(text)} |" for name, text in facts.items()),
            f"\n## Scores of the {report['scored']} rows\n",
            "| metric | model | 95 % interval | baseline |",
            "|---|---|---|---|",
            *scores,
            "\nThe interval is that of resampled rows; the baseline says the same of each row. For",
            "rows that are unlike those of the table nothing is known.",
            f"\n## Columns\n\n```\n{schema}\n```\n",
        ]
    )


def escaped(text):
    """Text in a cell of a table."""
    return line_of(text).replace("|", "\\|")
