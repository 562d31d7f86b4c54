"""The gray model behind LitServe: `python serve_litserve.py PORT WORKERS`, in the environment of the peers."""

import io
import sys

import litserve
from fastapi import Response, UploadFile
from gray import to_gray


class Gray(litserve.LitAPI):
    """A picture in a form's field `request` in, a PNG out."""

    def setup(self, device: str) -> None:
        """Nothing to load."""

    def decode_request(self, request: UploadFile) -> bytes:
        """The bytes of the upload."""
        return request.file.read()

    def predict(self, data: bytes) -> bytes:
        """The gray picture."""
        out = io.BytesIO()
        to_gray(io.BytesIO(data), out)
        return out.getvalue()

    def encode_response(self, output: bytes) -> Response:
        """The PNG as it is."""
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    port, workers = map(int, sys.argv[1:])
    server = litserve.LitServer(Gray(), accelerator="cpu", workers_per_device=workers)
    server.run(host="127.0.0.1", port=port, log_level="warning", generate_client_file=False)
