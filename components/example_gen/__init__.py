"""Reviews in, tf.Examples out: `ImdbExampleGen` and what it is made of.

    settings ─> sources.py ─> archives.py, tables.py, sample.py ─> rows.py ─> writing.py ─> report.py
                files.py      download.py                         splits.py

`component.py`, `driver.py` and `executor.py` are the TFX shell around these. Import from the modules: this one imports
nothing, so that the pure parts stay free of TensorFlow and TFX.
"""
