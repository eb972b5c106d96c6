"""Our answers beside those of the incumbent: asked live, or recorded as golden files."""
