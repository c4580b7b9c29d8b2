"""For development and trying out: demo, bench, schema generator. Not in the image."""
