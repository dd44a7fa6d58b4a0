import type { OssConfig } from "../store/oss/config.ts";
import type { S3Config } from "../store/s3/config.ts";
import type { SwiftConfig } from "../store/swift/config.ts";

export type StoreName = "swift" | "s3" | "oss";

/** How each kind of store is reached. Each asks only for what it needs, when it is used. @throws Fault CREDENTIALS. */
export interface Credentials {
  /** Those that the environment or the configuration file says anything of. */
  readonly configured: readonly StoreName[];
  swift(): Promise<SwiftConfig>;
  s3(): Promise<S3Config>;
  oss(): Promise<OssConfig>;
}
