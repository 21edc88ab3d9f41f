from pyml.autograd import detect_anomaly as detect_anomaly
from pyml.autograd import set_detect_anomaly as set_detect_anomaly
