"""Random calls of everything public: calls.py says what is allowed."""


def test_calls(besieged):
    besieged("attack.calls:attack", cases=500)
