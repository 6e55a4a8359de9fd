"""llama.cpp: the language model that runs on this machine, in one process for all programs of the user.

Start reading with `client`; `runtime` starts and finds the process, `process` is what runs in it.
"""
