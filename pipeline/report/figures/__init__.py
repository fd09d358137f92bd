"""The figures of the report, drawn by Matplotlib as SVG."""
