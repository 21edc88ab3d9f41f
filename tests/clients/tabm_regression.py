"""tabm and rtdl_num_embeddings: an ensemble of k MLPs in one, on embedded numbers."""

import rtdl_num_embeddings
import start
import tabm
import torch

start.draw_by_numpy()
x, categories = start.randn(128, 4), start.randint(3, 128, 1)
y = x[:, 0] * x[:, 1] + categories[:, 0]
losses = []
for embeddings in (
    None,
    rtdl_num_embeddings.LinearReLUEmbeddings(4, 8),
    rtdl_num_embeddings.PeriodicEmbeddings(4, 8, lite=False),
    rtdl_num_embeddings.PiecewiseLinearEmbeddings(
        rtdl_num_embeddings.compute_bins(x, n_bins=5), 8, activation=False, version="B"
    ),
):
    model = tabm.TabM.make(
        n_num_features=4,
        cat_cardinalities=[3],
        d_out=1,
        num_embeddings=embeddings,
        n_blocks=2,
        d_block=32,
        k=4,
        dropout=0.0,
    )
    start.begin(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-4)
    for rows in torch.arange(128).repeat(4).split(32):
        optimizer.zero_grad()
        prediction = model(x[rows], categories[rows]).squeeze(-1)
        wanted = y[rows][:, None].expand(*prediction.shape)
        loss = torch.nn.functional.mse_loss(prediction, wanted)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
