import copy
import json
import math
import pickle

import numpy as np
import pytest

import pyml
from pyml.train import Epoch, History


def made():
    first = Epoch(epoch=1, train_loss=0.5, validation_loss=0.6, learning_rate=0.1, seconds=2.0)
    return History(
        [first, Epoch(epoch=2, train_loss=math.inf, validation_loss=0.5, learning_rate=0.05)],
        stopped="2 epochs < 3",
    )


def test_columns():
    history = made()
    assert history.columns == ["epoch", "train_loss", "validation_loss", "learning_rate", "seconds"]
    np.testing.assert_array_equal(history.column("validation_loss"), [0.6, 0.5])
    np.testing.assert_array_equal(history.column("seconds"), [2.0, math.nan])
    assert history.column("epoch").dtype.kind == "i"
    with pytest.raises(ValueError, match="name is 'weight'; the history has epoch, train_loss"):
        history.column("weight")
    with pytest.raises(ValueError, match="no columns, as there are no epochs"):
        History().column("epoch")


def test_what_is_put_into_it_becomes_epochs():
    history = made()
    history.append({"epoch": 3})
    history.insert(0, {"epoch": 0})
    history.extend([{"epoch": 4}])
    history += [{"epoch": 5}]
    history[-1] = {"epoch": 6}
    history[2:3] = [{"epoch": 7}, {"epoch": 8}]
    assert history.column("epoch").tolist() == [0, 1, 7, 8, 3, 4, 6]
    assert {type(epoch) for epoch in history} == {Epoch} and type(history) is History
    for bad, words in ((pyml.ones(2), "is a Tensor, it must be a dict"), ({3: 4}, "the name 3")):
        for put in (history.append, lambda x: history.insert(0, x), lambda x: history.extend([x])):
            with pytest.raises(TypeError, match=words):
                put(bad)
    with pytest.raises(TypeError, match="is a int"):
        history[0] = 3
    assert len(history) == 7


def test_an_epoch_has_its_numbers_as_items_and_attributes():
    epoch = made()[0]
    assert epoch.train_loss == epoch["train_loss"] == 0.5
    with pytest.raises(AttributeError, match="there is no 'accuracy'; it has epoch, train_loss"):
        _ = epoch.accuracy
    assert repr(Epoch(epoch=1, loss=1 / 3)) == "Epoch(epoch=1, loss=0.33333)"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))]
)
def test_copies(copied):
    history = copied(made())
    assert history == made() and history.stopped == made().stopped
    assert isinstance(history[0], Epoch) and isinstance(history, History)


def test_as_dict_csv_json_and_html(tmp_path):
    history = made()
    assert history.to_dict()["epoch"] == [1, 2]
    text = history.to_csv(tmp_path / "h.csv")
    assert text.splitlines() == [
        "epoch,train_loss,validation_loss,learning_rate,seconds",
        "1,0.5,0.6,0.1,2.0",
        "2,inf,0.5,0.05,",
    ]
    assert (tmp_path / "h.csv").read_text() == text
    parsed = json.loads(history.to_json(tmp_path / "h.json"))
    assert parsed == json.loads((tmp_path / "h.json").read_text())
    assert parsed[0] == dict(history[0]) and parsed[1]["train_loss"] is None
    page = history._repr_html_()
    assert page.count("<tr>") == 3 and "<th>train_loss</th>" in page and "<td>0.5</td>" in page
    assert "2 epochs &lt; 3" in page
    assert History().to_csv() == "\n" and json.loads(History().to_json()) == []


def test_as_a_frame():
    pytest.importorskip("pandas")
    frame = made().to_pandas()
    assert frame.index.name == "epoch" and frame.index.tolist() == [1, 2]
    assert frame["validation_loss"].tolist() == [0.6, 0.5]
    assert len(History().to_pandas()) == 0


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "pyml-nn\[table\]"'):
        made().to_pandas()


def test_what_a_callback_puts_into_an_epoch_is_written():
    values = [np.float32(1.5), np.int64(3), pyml.tensor(2.0), np.array([1, np.nan]), None, "<i>"]
    history = History([{"epoch": i, "value": value} for i, value in enumerate(values)])
    written = [epoch["value"] for epoch in json.loads(history.to_json())]
    assert written == [1.5, 3, 2.0, [1.0, None], None, "<i>"]
    assert "&lt;i&gt;" in history._repr_html_()
