"""Settings of image networks. Does not import torch."""

from typing import Literal

from pydantic import Field

from winnow.pipeline.section import Float, Section

BackboneName = Literal[
    "small_resnet",
    "efficientnet_lite0",
    "resnet18",
    "resnet34",
    "resnet50",
    "efficientnet_b0",
    "efficientnet_b3",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
]


class Augment(Section):
    """Augmentation of training images."""

    flips: bool = Field(description="mirror, and rotate by multiples of 90 degrees")
    rotation: Float = Field(ge=0, le=180, description="rotate by up to this many degrees")
    colour: Float = Field(ge=0, le=0.5, description="scale brightness and contrast by up to this share")
