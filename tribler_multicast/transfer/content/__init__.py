"""
A file or folder as checked segments: names, index, hash tree, manifest, and the publisher's side of them.
"""
