"""How long an attack lasts: a number of cases in an ordinary run, seconds in `make attack`."""

import pytest

from attack.children import besiege
from pyml import _kernels


@pytest.fixture
def besieged(request):
    """besieged(attack, cases): fails with all that the attack has found.

    With --attack-seconds, on every ISA of this machine in turn, for an equal share of the time.
    """
    seconds, seed = (request.config.getoption(f"attack_{name}") for name in ("seconds", "seed"))

    def besieged(attack, cases):
        isas = _kernels.available_isas() if seconds else [_kernels.selected_isa()]
        reports = [
            besiege(
                attack,
                seed + i,
                cases=cases,
                seconds=seconds and seconds / len(isas),
                environment={"PYML_ISA": isa},
            )
            for i, isa in enumerate(isas)
        ]
        print(f"{attack}: {sum(report.cases for report in reports)} cases")
        found = "\n\n".join(str(report) for report in reports if report.findings)
        if found:
            pytest.fail(f"{attack} has found:\n\n{found}", pytrace=False)

    return besieged
