"""A small network learns from the soft answers of a trained large one."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F

T, alpha = 4.0, 0.7
x = start.randn(256, 6)
y = (x @ start.randn(6, 4)).argmax(1)
teacher = start.begin(nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 4)))
student = start.begin(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)))
opt_teacher = torch.optim.Adam(teacher.parameters(), lr=1e-2)
opt_student = torch.optim.Adam(student.parameters(), lr=1e-2)


@start.step
def teach(x, y):
    opt_teacher.zero_grad()
    loss = F.cross_entropy(teacher(x), y, label_smoothing=0.1)
    loss.backward()
    opt_teacher.step()
    return loss


@start.step
def distill(x, y):
    with torch.no_grad():
        soft = F.softmax(teacher(x) / T, dim=-1)
    logits = student(x)
    soft_log = F.log_softmax(logits / T, dim=-1)
    soft_loss = torch.sum(soft * (soft.log() - soft_log)) / soft_log.size()[0] * (T**2)
    loss = alpha * soft_loss + (1 - alpha) * F.cross_entropy(logits, y)
    opt_student.zero_grad()
    loss.backward()
    opt_student.step()
    return loss


losses = [teach(x, y).item() for _ in range(30)]
teacher.eval()
losses = [distill(x, y).item() for _ in range(40)]
