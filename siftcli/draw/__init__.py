"""Pictures of keypoints, matches and scale spaces.

Every picture is a :class:`~siftcli.draw.scene.Scene`: an image, marks on it, and a legend.  What the marks are is
decided once (`keypoints`, `matches`), and how they become pixels (`raster`), SVG (`svg`) or a page to look around in
(`viewer`) is decided apart from that.
"""
