"""Pictures of keypoints, matches and scale spaces.

A picture is a :class:`~siftcli.draw.scene.Scene`: an image, marks on it, and a legend.  What the marks are is decided
once (`keypoints`, `match_marks`); how they become pixels (`raster`) or SVG (`svg`) is decided apart from that.  A page
to look around in (`page`, `viewer/`) has the features themselves, and draws them as its reader wants.
"""
