"""What the models say, written down for others: JSON Schemas, AsyncAPI, the table of states."""
