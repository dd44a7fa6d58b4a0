import type { OssConfig } from "../store/oss/config.ts";
import type { S3Config } from "../store/s3/config.ts";
import type { SwiftConfig } from "../store/swift/config.ts";

/** How each kind of store is reached. Each asks only for what it needs, when it is used. @throws Fault CREDENTIALS. */
export interface Credentials {
  swift(): SwiftConfig;
  s3(): S3Config;
  oss(): OssConfig;
}
