"""Places of finished audio: a folder, or a bucket of an S3-compatible store."""
