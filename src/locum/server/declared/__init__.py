"""Accounts and everything in them as one readable file: read it, plan what it changes, apply it, write it.

:mod:`~locum.server.declared.source` reads YAML and JSON with the place of everything, ``form`` says what may stand in a
file, ``run`` carries it out in one transaction through the handlers of the API, whose rules are the file's therefore,
``entities`` and ``organizations`` compare what is described with what is there, and ``export`` writes the same form.
"""
