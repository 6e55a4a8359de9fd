"""Files as bytes, below a folder or a URL: atomic writes, checksums, and errors of disk and network as clear messages.

What the files contain does not belong here. Start reading with `local`, which states the protocol.
"""
