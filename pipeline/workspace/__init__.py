"""The workspace: its folders, its ML Metadata store and the records of its runs."""
