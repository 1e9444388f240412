"""The handlers of IAM, a module per family; what users and roles have in common is in :mod:`.holders`."""
