"""What a model card says of a grader of fundus photographs."""

from winnow.learn.card import Description

CARD = Description(
    title="winnow retina: diabetic retinopathy on fundus photographs",
    task="From a fundus photograph to the grade of diabetic retinopathy, 0 to 4, with calibrated probabilities, the "
    "grades that are possible, and whether to refer.",
    use="Research, and as a second look beside a person who grades.",
    limits=(
        "It is no medical device and gives no diagnosis. It sees diabetic retinopathy only, no other disease.",
        "Photographs that are dark, blurred or unlike those of training are not graded; another camera may be enough.",
        "Rare grades have few test photographs: read the intervals, not the values.",
    ),
    sent="a photograph of the fundus, or a folder of them",
    row="photographs",
    synthetic="drawn fundus photographs with drawn lesions",
    tags=("medical", "ophthalmology", "diabetic-retinopathy"),
    pipeline="image-classification",
)
