"""Where the bucket is: a local folder or S3."""

from pathlib import Path
from typing import Literal, Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from bhiv.bucket import Bucket, open_bucket
from bhiv.settings import Settings


class Storage(Block):
    """The bucket that runs of a deployment keep everything in; the next run uses what is set here."""

    _block_type_name = "BHIV storage"
    _block_type_slug = "bhiv-storage"
    _description = "The bucket of scripts, pictures, clips and videos: a local folder or S3."

    backend: Literal["local", "s3"] = Field("local", description="Which of the two counts.")
    folder: str = Field("", title="Local folder", description="Absolute path; empty takes the worker's own.")
    bucket: str = Field("", title="S3 bucket", description="It must exist.")
    prefix: str = Field("", title="S3 prefix", description="Folder in the bucket; empty for none.")
    endpoint_url: str = Field("", title="S3 endpoint", description="Empty for AWS.")
    public_endpoint_url: str = Field(
        "", title="S3 public endpoint", description="Where browsers reach the same server, if elsewhere."
    )
    region: str = Field("", title="S3 region")
    access_key_id: str = Field("", title="S3 access key")
    secret_access_key: SecretStr = Field(SecretStr(""), title="S3 secret key")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.backend == "s3" and not self.bucket:
            raise ValueError("S3 needs the name of a bucket")
        return self

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the block that says what the environment says."""
        return cls(
            backend=settings.storage_backend,
            folder=str(settings.bucket_dir),
            bucket=settings.s3_bucket or "",
            prefix=settings.s3_prefix,
            endpoint_url=settings.s3_endpoint_url or "",
            public_endpoint_url=settings.s3_public_endpoint_url or "",
            region=settings.s3_region or "",
            access_key_id=settings.s3_access_key_id or "",
            secret_access_key=settings.s3_secret_access_key or SecretStr(""),
        )

    def over(self, settings: Settings) -> Settings:
        """Return the settings with the storage that this block names."""
        changed = {
            "storage_backend": self.backend,
            "bucket_dir": Path(self.folder) if self.folder else settings.bucket_dir,
            "s3_bucket": self.bucket or None,
            "s3_prefix": self.prefix.strip("/"),
            "s3_endpoint_url": self.endpoint_url or None,
            "s3_public_endpoint_url": self.public_endpoint_url or None,
            "s3_region": self.region or None,
            "s3_access_key_id": self.access_key_id or None,
            "s3_secret_access_key": self.secret_access_key if self.secret_access_key.get_secret_value() else None,
        }
        return settings.model_copy(update=changed)

    def open(self, settings: Settings) -> Bucket:
        """Return the bucket itself."""
        return open_bucket(self.over(settings))
