"""HDF5: features (`features`, `features_reader`) and matches (`matches`, `matches_reader`) of many images.

`file` opens a file and reads arrays safely, `writer` creates one atomically.
"""
