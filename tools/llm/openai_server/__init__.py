"""Servers of the OpenAI protocol: the connection, the client, and streamed answers.

llama.cpp's process is served by the same client. Start reading with `client`.
"""
