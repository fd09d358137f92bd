"""ImdbExampleGen: reads labelled reviews and writes them as splits of tf.Examples.

    settings -> sources/locate.py -> sources/read.py -> writing.py -> report.py

`component.py`, `driver.py` and `executor.py` are the TFX shell; `beam_pipeline.py` connects the steps.
"""
