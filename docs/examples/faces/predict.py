"""Faces, by the Haar cascade that comes with OpenCV (Viola and Jones, 2001)."""

from pathlib import Path

import cv2
import numpy as np

CASCADE = "haarcascade_frontalface_default.xml"
LONG_SIDE = 1280  # larger pictures are searched at this size: faces stay large enough, and it takes a second, not ten
ORANGE = (0, 140, 255)

cascade: cv2.CascadeClassifier


def setup() -> None:
    """Load the cascade once; run() may be called many times after that."""
    global cascade
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)
    if cascade.empty():
        raise RuntimeError(f"OpenCV cannot read its own {CASCADE}")


def run(input_path: str, output_dir: str, params: dict) -> dict:
    """Find faces, draw them into faces.png, return boxes (x1, y1, x2, y2 in pixels of the input) with scores."""
    picture = cv2.imdecode(np.fromfile(input_path, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{Path(input_path).name} is no image that OpenCV reads; send a PNG, JPEG, WebP or TIFF")
    boxes, scores = find(picture, params)
    for (x1, y1, x2, y2), score in zip(boxes, scores, strict=True):
        thickness = max(2, round(max(picture.shape) / 400))
        cv2.rectangle(picture, (x1, y1), (x2, y2), ORANGE, thickness)
        cv2.putText(
            picture, f"{score:.2f}", (x1, y1 - 6), cv2.FONT_HERSHEY_SIMPLEX, thickness / 3, ORANGE, thickness // 2
        )
    cv2.imwrite(str(Path(output_dir) / "faces.png"), picture)
    print(f"{len(boxes)} face{'' if len(boxes) == 1 else 's'} in {picture.shape[1]}x{picture.shape[0]}")
    return {"boxes": boxes, "scores": scores, "labels": ["face"] * len(boxes), "count": len(boxes)}


def find(picture: np.ndarray, params: dict) -> tuple[list[list[int]], list[float]]:
    """Return boxes and scores, best first."""
    shrink = min(1.0, LONG_SIDE / max(picture.shape[:2]))
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if shrink < 1:
        gray = cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    found, _, weights = cascade.detectMultiScale3(
        cv2.equalizeHist(gray),
        scaleFactor=1.1,
        minNeighbors=int(params.get("min_neighbors", 5)),
        minSize=(24, 24),
        outputRejectLevels=True,
    )
    # the stage weight is unbounded; a logistic curve makes it a score from 0 to 1
    scored = [(1 / (1 + np.exp(3 - float(w))), box) for box, w in zip(found, np.ravel(weights), strict=True)]
    scored = sorted((item for item in scored if item[0] >= float(params.get("min_score", 0.5))), key=lambda i: -i[0])
    boxes = [[round(v / shrink) for v in (x, y, x + w, y + h)] for _, (x, y, w, h) in scored]
    return boxes, [round(float(score), 4) for score, _ in scored]
