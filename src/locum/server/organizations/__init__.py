"""The handlers of Organizations: one module per family of the contract."""
