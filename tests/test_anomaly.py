"""detect_anomaly, hooks after accumulation, and arguments of gradcheck that check nothing."""

import pytest

import pyml
from pyml import autograd


def not_a_number():
    x = pyml.zeros(1, requires_grad=True)
    return x, (x.sqrt() * 0).sum()


def test_nan_in_a_backward_names_the_operation_and_its_place():
    with autograd.detect_anomaly():
        x, y = not_a_number()
        with pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan") as caught:
            y.backward()
    assert "in not_a_number" in str(caught.value) and x.grad is None
    x, y = not_a_number()
    y.backward()
    assert x.grad.isnan().all() and not pyml.is_anomaly_enabled()


def test_an_operation_of_before():
    _, y = not_a_number()
    with autograd.set_detect_anomaly(True), pytest.raises(RuntimeError, match="recorded before"):
        y.backward()
    with autograd.detect_anomaly(check_nan=False):
        assert pyml.is_anomaly_enabled() and not pyml.is_anomaly_check_nan_enabled()
        not_a_number()[1].backward()


def test_modes_nest_and_are_set():
    watch = autograd.detect_anomaly()
    with watch, watch, autograd.set_detect_anomaly(False):
        not_a_number()[1].backward()
    autograd.set_detect_anomaly(True)
    try:
        assert pyml.is_anomaly_enabled() and pyml.is_anomaly_check_nan_enabled()
        with pytest.raises(RuntimeError, match="nan values"):
            not_a_number()[1].backward()
    finally:
        pyml.set_anomaly_enabled(False)
    assert not pyml.is_anomaly_enabled() and not pyml.is_anomaly_check_nan_enabled()


def test_a_recorded_step_refuses_it():
    x = pyml.ones(1, requires_grad=True)
    step = pyml.record(lambda: (x * 2).sum().backward())
    with autograd.detect_anomaly(), pytest.raises(pyml.RecordError, match="detect_anomaly"):
        step()


def test_hook_after_accumulation():
    x, y = pyml.ones(2, requires_grad=True), pyml.ones(2, requires_grad=True)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append((t, t.grad.tolist())))
    x.register_hook(lambda grad: grad * 2)
    (x * 3 + y).sum().backward()
    (x * 3).sum().backward()
    assert [t is x for t, _ in seen] == [True, True]
    assert [grad for _, grad in seen] == [[6, 6], [12, 12]]
    autograd.grad((x * 3).sum(), x)
    handle.remove()
    (x * 3).sum().backward()
    assert len(seen) == 2 and x.grad.tolist() == [18, 18]
    for tensor, error, match in (
        (pyml.ones(2), RuntimeError, "non-leaf"),
        (x * 2, RuntimeError, "non-leaf"),
    ):
        with pytest.raises(error, match=match):
            tensor.register_post_accumulate_grad_hook(print)
    with pytest.raises(TypeError, match="must be a function"):
        x.register_post_accumulate_grad_hook(3)


def test_an_optimizer_in_the_backward():
    """The idiom of the hook: the parameter is updated, its gradient is gone."""
    x = pyml.nn.Parameter(pyml.ones(2))
    optimizer = pyml.optim.SGD([x], 0.5)

    def update(parameter):
        optimizer.step()
        optimizer.zero_grad()

    x.register_post_accumulate_grad_hook(update)
    (x * 2).sum().backward()
    assert x.tolist() == [0, 0] and x.grad is None
    step = pyml.record(lambda: (x * 2).sum().backward())
    with pytest.raises(pyml.RecordError, match="register_post_accumulate_grad_hook"):
        step()


def test_arguments_of_gradcheck():
    x = pyml.ones(2, dtype=pyml.float64, requires_grad=True)
    assert autograd.gradcheck(pyml.exp, x, check_grad_dtypes=True, fast_mode=True, masked=False)
    with pytest.warns(UserWarning, match="gradcheck: check_forward_ad checks nothing"):
        assert autograd.gradcheck(pyml.exp, x, check_forward_ad=True)
    with pytest.warns(UserWarning, match="gradgradcheck: check_batched_grad checks nothing"):
        assert autograd.gradgradcheck(pyml.exp, x, check_batched_grad=True)
    wrong = pyml.ones(2, requires_grad=True)  # of float32, which is refused if it is looked at
    for check, options in (
        (autograd.gradcheck, ("check_backward_ad", "check_forward_ad")),
        (autograd.gradgradcheck, ("check_rev_over_rev", "check_fwd_over_rev")),
    ):
        with pytest.warns(UserWarning, match="checks nothing"):
            assert check(pyml.exp, wrong, **dict(zip(options, (False, True), strict=True)))
        with pytest.raises(ValueError, match="Expected at least one of"):
            check(pyml.exp, wrong, **{options[0]: False})


def test_old_name_of_grad_tensors():
    x = pyml.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="now called grad_tensors"):
        autograd.backward(x * 2, grad_variables=pyml.tensor([1.0, 3.0]))
    assert x.grad.tolist() == [2, 6]
    with pytest.raises(TypeError, match="mean the same"):
        autograd.backward(x * 2, pyml.ones(2), grad_variables=pyml.ones(2))


def test_a_hook_after_accumulation_gives_nothing():
    x = pyml.tensor([1.0], requires_grad=True)
    handle = x.register_post_accumulate_grad_hook(lambda t: t)  # as in PyTorch, which takes it too
    (x * 3).sum().backward()
    handle.remove()
    for wrong in (lambda t: t.grad, lambda t: 1):
        handle = x.register_post_accumulate_grad_hook(wrong)
        with pytest.raises(RuntimeError, match=r"hooks should return None"):
            (x * 3).sum().backward()
        handle.remove()
