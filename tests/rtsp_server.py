"""Serves an MPEG-TS file of H.264 and AAC as `rtsp://127.0.0.1:PORT/cam`, in real time: FILE PORT, and 0 for any free one.

It runs in Debian's own Python, which has the packages python3-gi and gir1.2-gst-rtsp-server-1.0. Prints its port.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 (the versions are chosen first)

Gst.init(None)
file, port = sys.argv[1:]
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( filesrc location={file} ! tsdemux name=d d. ! queue ! h264parse ! rtph264pay config-interval=1 name=pay0 pt=96 "
    "d. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )"
)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
