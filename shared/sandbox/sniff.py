"""What kind of image some bytes are, by their first bytes; the client's word does not count."""

_MAGIC = [
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"),
    (b"\xff\xd8\xff", "jpg", "image/jpeg"),
    (b"GIF87a", "gif", "image/gif"),
    (b"GIF89a", "gif", "image/gif"),
    (b"II*\0", "tif", "image/tiff"),
    (b"MM\0*", "tif", "image/tiff"),
    (b"II+\0", "tif", "image/tiff"),
    (b"MM\0+", "tif", "image/tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2", "image/jp2"),
    (b"\xffO\xffQ", "j2k", "image/jp2"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl", "image/jxl"),
    (b"\xff\n", "jxl", "image/jxl"),
    (b"v/1\x01", "exr", "image/x-exr"),
    (b"#?RADIANCE", "hdr", "image/vnd.radiance"),
    (b"8BPS", "psd", "image/vnd.adobe.photoshop"),
    (b"qoif", "qoi", "image/qoi"),
    (b"\0\0\x01\0", "ico", "image/x-icon"),
]
_BRANDS = {
    b"avif": ("avif", "image/avif"),
    b"avis": ("avif", "image/avif"),
    b"heic": ("heic", "image/heic"),
    b"heix": ("heic", "image/heic"),
    b"mif1": ("heic", "image/heic"),
}
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}
_NETPBM = {b"P1": "pbm", b"P4": "pbm", b"P2": "pgm", b"P5": "pgm", b"P3": "ppm", b"P6": "ppm"}


def sniff_image(head: bytes) -> tuple[str, str]:
    """Return extension and content type for the first 64 bytes or more; `("bin", "application/octet-stream")` else."""
    for magic, extension, content_type in _MAGIC:
        if head.startswith(magic):
            return extension, content_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp", "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return _BRANDS[head[8:12]]
    if head[:2] == b"BM" and len(head) >= 18 and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp", "image/bmp"
    if head[:2] in _NETPBM and head[2:3].isspace():
        return _NETPBM[head[:2]], "image/x-portable-anymap"
    return "bin", "application/octet-stream"
