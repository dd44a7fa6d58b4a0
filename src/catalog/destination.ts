/** A destination: a container, bucket or directory that objects can be written to and read from. */

export interface Destination {
  /** Requests name it so. */
  readonly name: string;
  readonly region: string;
  /** The only project that may use it; absent: all may. */
  readonly project?: string;
  readonly provider: "swift" | "s3" | "oss" | "directory";
  /** The container or bucket as its own clients call it; for a directory, its path. */
  readonly container: string;
  /** What stands before the name of an object: `swift://container/`, `s3://bucket/prefix/`, `/srv/images/`. */
  readonly location: string;
  /** Name of the credentials that the daemon is configured with; never a secret itself. */
  readonly credential?: string;
}
