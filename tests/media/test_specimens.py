"""That the files are whole is seen by programs that read such files."""

from __future__ import annotations

import gzip
import io
import re
import struct
import zipfile
import zlib
from xml.etree import ElementTree

import pytest

from mockserver.media.text import sample_file


def given(media_type: str) -> bytes:
    found = sample_file(media_type)
    assert found is not None
    return found


def test_sample_png_has_one_valid_pixel() -> None:
    data = given("image/png")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + content),)
        chunks.append((name, content))
        at += 12 + length
    assert [name for name, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">II", chunks[0][1][:8]) == (1, 1)
    assert len(zlib.decompress(chunks[1][1])) == 5  # a filter's number and one pixel of four bytes


def test_sample_gif_and_jpeg_have_one_pixel() -> None:
    gif = given("image/gif")
    assert gif[:6] == b"GIF89a"
    assert struct.unpack("<HH", gif[6:10]) == (1, 1)
    assert gif.endswith(b";")
    jpeg = given("image/jpeg")
    assert jpeg == sample_file("image/jpg")
    assert jpeg[:2] == b"\xff\xd8"
    assert jpeg[-2:] == b"\xff\xd9"
    at, sizes = 2, []
    while jpeg[at + 1] != 0xDA:  # up to the scan
        assert jpeg[at] == 0xFF
        if 0xC0 <= jpeg[at + 1] <= 0xCF and jpeg[at + 1] not in (0xC4, 0xC8, 0xCC):
            sizes.append(struct.unpack(">HH", jpeg[at + 5 : at + 9]))
        at += 2 + int(struct.unpack(">H", jpeg[at + 2 : at + 4])[0])
    assert sizes == [(1, 1)]


def test_sample_archives_are_valid_and_empty() -> None:
    with zipfile.ZipFile(io.BytesIO(given("application/zip"))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == []
    assert gzip.decompress(given("application/gzip")) == b""


def test_sample_svg_is_an_svg_document() -> None:
    assert ElementTree.fromstring(given("image/svg+xml")).tag == "{http://www.w3.org/2000/svg}svg"


def test_pdf_objects_are_where_its_table_says() -> None:
    data = given("application/pdf")
    match = re.search(rb"startxref\n(\d+)\n%%EOF\n$", data)
    assert match
    table = data[int(match[1]) :]
    assert table.startswith(b"xref\n0 4\n")
    offsets = [int(each) for each in re.findall(rb"(\d{10}) 00000 n", table)]
    assert [data[each : each + 7] for each in offsets] == [b"1 0 obj", b"2 0 obj", b"3 0 obj"]


@pytest.mark.parametrize("media_type", ["application/octet-stream", "video/mp4", ""])
def test_unknown_media_type_has_no_sample_file(media_type: str) -> None:
    assert sample_file(media_type) is None
