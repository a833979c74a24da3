"""OpenCV, set to give the same bytes on every CPU.

Its optimised code paths (IPP, AVX-512, FMA) round differently from each other, so they are off: import `cv2` from here.
"""

import os

os.environ["OPENCV_IPP"] = "disabled"  # in all threads: `setUseOptimized` turns it off in the one that calls it alone

import cv2
from cv2.utils import logging

_level = logging.setLogLevel(logging.LOG_LEVEL_ERROR)  # the next line would warn of the variable above
cv2.setUseOptimized(False)
logging.setLogLevel(_level)
cv2.setNumThreads(1)  # images are worked on side by side, see `winnow.pipeline.parallel`

__all__ = ["cv2"]
