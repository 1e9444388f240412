"""Accounts and everything in them as one readable file: read it, plan what it changes, apply it, write it.

:mod:`~locum.server.declared.source` reads YAML and JSON with the place of everything, ``form`` says what may stand in a
file, and ``execute`` carries it out in one transaction: ``accounts``, ``principals`` and ``organizations`` compare it
with what is there and call, through ``run``, the handlers of the API, whose rules are therefore its own.
``export`` writes the same form.
"""
