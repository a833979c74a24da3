"""OpenCV, set to give the same bytes on every CPU.

Its optimised code paths (IPP, AVX-512, FMA) round differently from each other, so they are off: import `cv2` from here.
"""

import cv2

cv2.setUseOptimized(False)  # IPP too
cv2.setNumThreads(1)  # images are worked on side by side, see `winnow.images.parallel`

__all__ = ["cv2"]
