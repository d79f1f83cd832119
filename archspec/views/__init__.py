"""What a spec is, written out: the resolved document, an outline, the origin of one part."""
