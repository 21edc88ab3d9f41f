"""assert_close beside torch's: the same are close, and the same errors for what is not."""

import pytest
import test_testing as table

import pyml

torch = pytest.importorskip("torch")


def to_torch(value):
    if isinstance(value, (tuple, list)):
        return type(value)(map(to_torch, value))
    if isinstance(value, dict):
        return {key: to_torch(item) for key, item in value.items()}
    if not isinstance(value, pyml.Tensor):
        return value
    found = torch.tensor(value.detach().numpy())
    return torch.nn.Parameter(found) if isinstance(value, pyml.nn.Parameter) else found


@pytest.mark.parametrize("row", [*table.CLOSE, *table.APART])
def test_assert_close(row):
    actual, expected, options, *raises = row
    if options == {"check_stride": True}:
        pytest.skip("strides are not handed over")
    try:
        torch.testing.assert_close(to_torch(actual), to_torch(expected), **options)
    except Exception as error:
        assert [type(error)] == raises[:1]
    else:
        assert not raises
