"""The data: photographs on disk (`photos.py`), the embedded set (`sample.py`), A/B pairs
(`pairs.py`), and the training input (`pipeline.py`).
"""
