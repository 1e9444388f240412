"""Coverage-guided fuzz targets for every decoder of hostile bytes; ``python -m fuzz NAME`` runs one for a minute.

Each module has ``run(data)``, which fails on anything but a value or a declared error, and ``SEEDS`` to begin with.
The tests feed them with hypothesis, so that they work without atheris, which only ``python -m fuzz`` needs.
"""
