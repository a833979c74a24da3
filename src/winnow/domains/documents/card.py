"""What a model card says of a page assessor."""

from winnow.learn.card import Description

CARD = Description(
    title="winnow documents: quality of document scans",
    task="From a scanned page to a score from 0 to 1, its class, the severities of ten issues, and a verdict: accept, "
    "warn, retake or blank.",
    use="To ask for a new scan before a page is read, by people or by an OCR.",
    limits=(
        "It judges how a page looks, not what it says, and not whether the document is complete or genuine.",
        "Issues that were not in its training pages, such as other scripts, paper or cameras, may be judged wrongly.",
        "The threshold for retake holds for pages like those of validation.",
    ),
    sent="a scan, a PDF, or a folder of them",
    row="pages",
    synthetic="drawn letters, forms, tables and receipts, degraded in known ways",
    tags=("document-quality", "scan"),
    pipeline="image-classification",
)
