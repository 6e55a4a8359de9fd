"""Serving: a library for browsers, assistants and other programs.

What is served comes from `agent.library` through one `LibraryService`; no file outside the library's videos can be
reached. `app` makes the web application of the page; further interfaces add their routes to it.
`mcp_tools` and `mcp_server` serve AI assistants.
Start reading with `app` for the web, with `service` for what every interface shares.
"""
