"""SCLIP on PASCAL VOC with background, as published but for one rule.

Published labels of foreground classes below a tenth of a picture's foreground become background; that is not built.
"""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="sclip", classes="voc21@sclip", threshold=0.1)
model = dict(head=dict(logit_scale=65.0))
