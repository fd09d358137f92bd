"""The pictures of the page, as inline SVG."""
