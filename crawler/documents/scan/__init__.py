"""Page images → grids and paragraphs. Needs the extra gongkai[ocr]; imported only by image.py."""
