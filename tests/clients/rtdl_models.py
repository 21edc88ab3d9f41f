"""rtdl_revisiting_models: an MLP, a ResNet and an FT-Transformer."""

import rtdl_revisiting_models as rtdl
import start
import torch

start.draw_by_numpy()
x, categories = start.randn(128, 4), start.randint(3, 128, 1)
y = x[:, 0] * x[:, 1] + categories[:, 0]
one_hot = torch.nn.functional.one_hot(categories[:, 0], 3).float()
flat = torch.cat([x, one_hot], 1)
losses = []


def train(model, *inputs):
    start.begin(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for rows in torch.arange(128).repeat(3).split(32):
        optimizer.zero_grad()
        prediction = model(*(each[rows] for each in inputs)).squeeze(-1)
        loss = torch.nn.functional.mse_loss(prediction, y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())


train(rtdl.MLP(d_in=7, d_out=1, n_blocks=2, d_block=32, dropout=0.0), flat)
train(
    rtdl.ResNet(
        d_in=7,
        d_out=1,
        n_blocks=2,
        d_block=16,
        d_hidden=None,
        d_hidden_multiplier=2.0,
        dropout1=0.0,
        dropout2=0.0,
    ),
    flat,
)
options = {
    **rtdl.FTTransformer.get_default_kwargs(1),
    "attention_dropout": 0.0,
    "ffn_dropout": 0.0,
    "linformer_kv_compression_ratio": None,
}
options.pop("_is_default", None)
train(
    rtdl.FTTransformer(n_cont_features=4, cat_cardinalities=[3], d_out=1, **options), x, categories
)
