import io
import json

import numpy as np
from azureml.contrib.services.aml_request import AMLRequest, rawhttp  # noqa: F401 (both, as the tutorials had it)
from azureml.contrib.services.aml_response import AMLResponse
from PIL import Image


def init():
    print("This is init()")


@rawhttp
def run(request):
    print("This is run()")

    if request.method == "GET":
        return AMLResponse(request.full_path, 200)
    if request.method == "POST":
        image = Image.open(io.BytesIO(request.get_data(False)))
        if request.args.get("mirror"):
            mirrored = io.BytesIO()
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored, "BMP")
            return AMLResponse(mirrored.getvalue(), 200, {"Content-Type": "image/bmp"})
        means = np.asarray(image).mean(axis=(0, 1))
        answer = {"width": image.width, "height": image.height, "mean": means.tolist()}
        return AMLResponse(json.dumps(answer), 200, {"Content-Type": "application/json", "X-Models": "none, yet"})
    return AMLResponse("bad request", 500)
