"""The data: photographs on disk (`photos.py`), the embedded set (`sample.py`), GOPRO (`gopro.py`,
`download.py`), A/B pairs (`pairs.py`), their decoded copy (`cache.py`), and the training input
(`pipeline.py`).
"""
