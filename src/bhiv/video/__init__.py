"""Pictures and sound to a finished MP4: each picture frame is encoded once, the join copies the stream."""
