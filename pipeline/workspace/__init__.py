"""The workspace: its folders and its ML Metadata store."""
