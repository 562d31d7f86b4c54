"""The gray model behind BentoML: `bentoml serve serve_bentoml:Gray`, in the environment of the peers."""

import io
import os
from typing import Annotated

import bentoml
from gray import to_gray

Png = Annotated[bytes, bentoml.validators.ContentType("image/png")]


@bentoml.service(workers=int(os.environ.get("WORKERS", "1")))
class Gray:
    """A PNG as the body in, a PNG out."""

    @bentoml.api
    def predict(self, image: Png, /) -> Png:
        """The gray picture."""
        out = io.BytesIO()
        to_gray(io.BytesIO(image), out)
        return out.getvalue()
